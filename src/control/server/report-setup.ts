/** What main sends out on its own account: gRPC access logs, and load. */
import type { BackoffOptions } from "../../shared/common/backoff.ts";
import { clusterStats } from "../../shared/stats/stat-names.ts";
import type { ClusterManager } from "../cluster/cluster-manager.ts";
import { readHostCounts } from "../cluster/host-counters.ts";
import type { GrpcService } from "../config/config-source.ts";
import { GrpcAccessLogs } from "../reports/grpc-access-logs.ts";
import { LoadReporter } from "../reports/load-reporter.ts";
import { streamAccessLogs, streamLoadStats } from "../reports/report-methods.ts";
import { AdsStream, type AdsStreamHandlers } from "../xds/ads-stream.ts";
import { GrpcTransport } from "../xds/grpc-transport.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import type { TlsClients } from "./tls-clients.ts";
import { targetOf } from "./xds-clients.ts";

export interface Reports extends Disposable {
  /** Begins what is not begun by something to report: once the clusters are there. */
  start(): void;
}

/** Where reports go to, and how often that is tried. */
interface ReportService {
  readonly services: readonly GrpcService[];
  readonly backoff?: BackoffOptions | undefined;
}

/** Requests that circuit breakers let in no more: Envoy reports them as dropped. */
const droppedOffsets = [
  clusterStats.offset("upstream_rq_pending_overflow"),
  clusterStats.offset("upstream_rq_active_overflow"),
];

/** Of a cluster that came by CDS, whose own is not asked for (Envoy's default). */
const connectTimeoutMsDefault = 5_000;

export function createReports(
  parts: ControlPlaneParts,
  clusters: ClusterManager,
  tls: TlsClients,
): Reports {
  const { clock, random, bootstrap, loggerOf, pool, slabs } = parts;
  const openStream = (
    { services, backoff }: ReportService,
    method: GrpcTransport["method"],
    handlers: AdsStreamHandlers,
  ): AdsStream => {
    const hostsOf = (name: string) => clusters.hosts(name) ?? [];
    const targets = services.map((service) => targetOf(service, hostsOf, tls));
    const transport = new GrpcTransport({ method, targets });
    const connectTimeoutMs = connectTimeoutMsOf(services, parts);
    return new AdsStream({ transport, clock, random, backoff, connectTimeoutMs }, handlers);
  };
  const accessLogs = new GrpcAccessLogs({
    clock,
    stats: slabs.stats,
    log: loggerOf("config"),
    node: bootstrap.node.bytes,
    open: ({ service, backoff }, handlers) =>
      openStream({ services: [service], backoff }, streamAccessLogs, handlers),
  });
  const { loadStats } = bootstrap;
  const loadReporter =
    loadStats &&
    new LoadReporter({
      clock,
      stats: slabs.stats,
      log: loggerOf("upstream"),
      node: bootstrap.node.bytes,
      counters: {
        host: (block) => readHostCounts(slabs.store, block),
        dropped: (block) =>
          droppedOffsets.reduce((sum, offset) => sum + slabs.store.total(block, offset), 0),
      },
      clusters: () => clusters.loads(),
      open: (handlers) => openStream(loadStats, streamLoadStats, handlers),
    });
  const events = pool.subscribe({
    onEvent(_worker, event) {
      if (event.kind === "accessLogEntries") accessLogs.add(event.batch);
    },
  });
  return {
    start: () => loadReporter?.start(),
    [Symbol.dispose]() {
      events[Symbol.dispose]();
      accessLogs[Symbol.dispose]();
      loadReporter?.[Symbol.dispose]();
    },
  };
}

/** The longest of the clusters that are known from the start, as each of them may be the one that is tried. */
function connectTimeoutMsOf(
  services: readonly GrpcService[],
  { bootstrap }: ControlPlaneParts,
): number {
  const timeouts = services.flatMap(({ target }) =>
    bootstrap.staticClusters
      .filter(({ config }) => target.kind === "cluster" && config.name === target.clusterName)
      .map(({ config }) => config.connectTimeoutMs),
  );
  return timeouts.length > 0 ? Math.max(...timeouts) : connectTimeoutMsDefault;
}
