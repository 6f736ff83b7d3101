/**
 * Puts the managers together: who gives what to whom is here and nowhere else. Nothing in here waits or
 * acts; `initialization.ts` sets it going.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { LoggerOf } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import { type DrainPolicy, drainPolicyDefaults } from "../../shared/drain/drain.ts";
import { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import { ClusterManager } from "../cluster/cluster-manager.ts";
import { withDeadline } from "../cluster/dns-deadline.ts";
import { systemDns } from "../cluster/dns-resolver.ts";
import { createProber } from "../cluster/health-check/create-prober.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import { DrainRegistry } from "../listener/drain-registry.ts";
import { DrainRunner } from "../listener/drain-runner.ts";
import { ListenerManager } from "../listener/listener-manager.ts";
import { type BindSocket, ListenerSockets } from "../listener/listener-sockets.ts";
import { OnDemandDesk } from "../listener/on-demand-desk.ts";
import type { RdsApi } from "../listener/rds-api.ts";
import type { ScopedRdsApi } from "../listener/scoped-rds-api.ts";
import { ServerDrain } from "../listener/server-drain.ts";
import { RuntimeLoader } from "../runtime/runtime-loader.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { ConfigDecoders } from "./config-decoders.ts";
import type { ServerOptions } from "./options.ts";
import { acquireFrom, answerFrom, createRouting } from "./routing-setup.ts";
import type { ServerLifecycle } from "./server-phase.ts";
import type { ServerSlabs } from "./worker-setup.ts";
import { XdsSources } from "./xds-setup.ts";

export interface ControlPlaneParts {
  readonly options: ServerOptions;
  readonly bootstrap: BootstrapConfig;
  readonly decoders: ConfigDecoders;
  readonly pool: WorkerPool;
  readonly limits: SharedLimits;
  readonly slabs: ServerSlabs;
  readonly listenSockets: ListenSockets;
  readonly lifecycle: ServerLifecycle;
  readonly clock: Clock;
  readonly random: Random;
  readonly loggerOf: LoggerOf;
}

export interface ControlPlane extends Disposable {
  readonly clusters: ClusterManager;
  readonly listeners: ListenerManager;
  readonly routes: RdsApi;
  readonly scopedRoutes: ScopedRdsApi;
  readonly drains: DrainRegistry;
  readonly serverDrain: ServerDrain;
  readonly sources: XdsSources;
  readonly runtime: RuntimeLoader;
}

export function createControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { pool, limits, clock, random, loggerOf, decoders, lifecycle } = parts;
  const { stats } = parts.slabs;
  // The stream opens with the first subscription, and then the clusters are there.
  const sources = new XdsSources(parts, {
    hosts: (name) => clusters.hosts(name) ?? [],
    hasCluster: (name) => clusters.hasCluster(name),
  });
  // First of all: workers have its values before they have anything else.
  const runtime = createRuntime(parts, sources);
  const clusters = new ClusterManager({
    pool,
    limits,
    stats,
    clock,
    random,
    resolve: withDeadline(systemDns, clock),
    createProber,
    endpoints: sources.endpoints,
    log: loggerOf("upstream"),
    healthLog: loggerOf("health_checker"),
  });
  const { routes, scopedRoutes } = createRouting(parts, sources, clusters);
  new OnDemandDesk(pool, answerFrom({ routes, scopedRoutes }));
  const drains = new DrainRegistry({ clock, stats, workers: pool.concurrency });
  const runner = new DrainRunner({ pool, registry: drains, clock, log: loggerOf("main") });
  const drainManager = new DrainManager("modifyOnly", {
    clock,
    isHealthCheckFailed: () => lifecycle.isHealthCheckFailed,
  });
  const drainDefaults = drainDefaultsOf(parts.options);
  const listeners = new ListenerManager({
    pool,
    limits,
    stats,
    dependencies: acquireFrom({ routes, scopedRoutes }),
    drainManager,
    drainDefaults,
    clock,
    drains: runner,
    sockets: new ListenerSockets(bindWith(parts.listenSockets), pool.concurrency),
    comparison: decoders.comparison,
    hasCluster: (name) => clusters.hasCluster(name),
    warming: clusters.warming,
    log: loggerOf("config"),
  });
  const serverDrain = new ServerDrain({
    pool,
    drainManager,
    drainDefaults,
    drains: runner,
    manager: listeners,
    setHealthCheckFailed: (failed) => lifecycle.setHealthCheckFailed(failed),
  });
  const members = {
    clusters,
    listeners,
    routes,
    scopedRoutes,
    drains,
    serverDrain,
    sources,
    runtime,
  };
  return Object.assign(members, {
    [Symbol.dispose]: () => disposeAll([runtime, sources, clusters, listeners, drainManager]),
  });
}

function createRuntime(parts: ControlPlaneParts, sources: XdsSources): RuntimeLoader {
  const { bootstrap, decoders, pool, slabs, loggerOf } = parts;
  return new RuntimeLoader({
    layers: bootstrap.runtimeLayers,
    serviceCluster: bootstrap.node.cluster,
    source: sources.runtime,
    valueOf: decoders.runtimeValue,
    onSnapshot: ({ values }) => pool.post({ kind: "setRuntime", values }),
    stats: slabs.stats,
    log: loggerOf("runtime"),
  });
}

function disposeAll(parts: readonly Disposable[]): void {
  for (const part of parts) part[Symbol.dispose]();
}

/** Envoy's flags; a listener's metadata may say otherwise for itself. */
function drainDefaultsOf(options: ServerOptions): DrainPolicy {
  return {
    ...drainPolicyDefaults,
    timeMs: options.drainTimeMs,
    strategy: options.drainStrategy,
  };
}

/** Envoy: an IPv6 socket takes IPv4 only with `ipv4_compat`, which no address of ours carries. */
function bindWith(listenSockets: ListenSockets): BindSocket {
  return (address, options) =>
    listenSockets.openListenSocket(address, { ...options, ipv6Only: true });
}
