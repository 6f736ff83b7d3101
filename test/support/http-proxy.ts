/** One HTTP listener over one cluster, on real workers: what most HTTP tests need. */
import type { ClusterConfig, HostConfig } from "../../src/shared/config/cluster-config.ts";
import type { HttpConnectionManagerConfig } from "../../src/shared/config/http-config.ts";
import type { Route } from "../../src/shared/config/route-config.ts";
import type { DrainPolicy } from "../../src/shared/drain/drain.ts";
import { clusterStats, httpStats } from "../../src/shared/stats/stat-names.ts";
import type { StatBlock } from "../../src/shared/stats/stat-group.ts";
import { clusterConfig, hostConfig } from "./cluster-fixture.ts";
import { httpChain, route } from "./http-fixture.ts";
import { HttpClient } from "./http-peers.ts";
import { listenerConfig } from "./listener-fixture.ts";
import type { TestListener, TestWorkers } from "./test-workers.ts";
import { blockOf } from "../../src/shared/protocol/worker-command.ts";

type HttpStat = Parameters<typeof httpStats.offset>[0];
type ClusterStat = Parameters<typeof clusterStats.offset>[0];

export interface TestProxy {
  readonly listener: TestListener;
  readonly limits: number;
  connect(): HttpClient;
  http(name: HttpStat): number;
  cluster(name: ClusterStat): number;
  /** Waits until no request and no connection is counted as open any more. */
  settled(): Promise<void>;
}

export interface TestProxyOptions {
  readonly routes?: readonly Route[];
  readonly manager?: Partial<HttpConnectionManagerConfig>;
  readonly cluster?: Partial<ClusterConfig>;
  readonly hosts?: readonly HostConfig[];
  readonly bufferLimitBytes?: number;
  readonly drainPolicy?: Partial<DrainPolicy>;
}

export async function startProxy(
  workers: TestWorkers,
  upstreamPort: number,
  options: TestProxyOptions = {},
): Promise<TestProxy> {
  const hosts = options.hosts ?? [hostConfig(upstreamPort)];
  const { stats, limits } = workers.setCluster(clusterConfig(options.cluster), hosts);
  const slots = workers.slots({ http: ["h"] });
  const chain = httpChain(options.routes ?? [route("/")], options.manager);
  const config = listenerConfig({
    filterChains: [chain],
    drainPolicy: options.drainPolicy ?? {},
    ...(options.bufferLimitBytes === undefined
      ? {}
      : { perConnectionBufferLimitBytes: options.bufferLimitBytes }),
  });
  const listener = await workers.addListener(config, { slots });
  const block: StatBlock = blockOf(slots.http, "h");
  const http = (name: HttpStat): number => workers.stat(httpStats, block, name);
  const cluster = (name: ClusterStat): number => workers.stat(clusterStats, stats, name);
  return {
    listener,
    limits,
    connect: () => new HttpClient(listener.port),
    http,
    cluster,
    settled: () =>
      workers.untilCounted(
        () =>
          http("downstream_cx_active") === 0 &&
          http("downstream_rq_active") === 0 &&
          cluster("upstream_rq_active") === 0 &&
          cluster("upstream_rq_pending_active") === 0,
      ),
  };
}
