/**
 * Puts the managers together: who gives what to whom is here and nowhere else. Nothing in here waits or
 * acts; `initialization.ts` sets it going.
 */
import { type DrainPolicy, drainPolicyDefaults } from "../../shared/drain/drain.ts";
import { DrainManager } from "../../shared/drain/drain-manager.ts";
import { ClusterManager } from "../cluster/cluster-manager.ts";
import { answerGrpcStats } from "../cluster/grpc-stats-desk.ts";
import type { ClusterTls } from "../cluster/cluster-sockets.ts";
import { withDeadline } from "../cluster/dns-deadline.ts";
import { systemDns } from "../cluster/dns-resolver.ts";
import { createProber } from "../cluster/health-check/create-prober.ts";
import { ConnectionMoves } from "../listener/connection-moves.ts";
import type { DrainDesk } from "../listener/drain-desk.ts";
import type { ElderDrains } from "../listener/elder-drains.ts";
import { DrainRegistry } from "../listener/drain-registry.ts";
import { DrainRunner } from "../listener/drain-runner.ts";
import { DrainSteering } from "../listener/drain-steering.ts";
import type { EcdsApi } from "../listener/ecds-api.ts";
import { ListenerManager } from "../listener/listener-manager.ts";
import { ListenerSockets } from "../listener/listener-sockets.ts";
import type { RdsApi } from "../listener/rds-api.ts";
import type { ScopedRdsApi } from "../listener/scoped-rds-api.ts";
import { ServerDrain } from "../listener/server-drain.ts";
import { ShutdownDrain } from "../listener/shutdown-drain.ts";
import { RuntimeLoader } from "../runtime/runtime-loader.ts";
import { systemFiles } from "../secret/secret-files.ts";
import type { SecretManager } from "../secret/secret-manager.ts";
import type { TlsContexts } from "../tls/tls-contexts.ts";
import { WorkerInquiry } from "../workers/worker-inquiry.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import { createListenerDependencies, createSecretManager } from "./dependency-setup.ts";
import type { ServerOptions } from "./options.ts";
import { createReports, type Reports } from "./report-setup.ts";
import { bindOrTake } from "./generations.ts";
import { TlsClients } from "./tls-clients.ts";
import { clusterTls, createTlsContexts } from "./tls-setup.ts";
import { XdsSources } from "./xds-setup.ts";

export interface ControlPlane extends Disposable {
  readonly clusters: ClusterManager;
  readonly listeners: ListenerManager;
  readonly listenerSockets: ListenerSockets;
  readonly routes: RdsApi;
  readonly secrets: SecretManager;
  readonly tls: TlsContexts;
  readonly extensions: EcdsApi;
  readonly scopedRoutes: ScopedRdsApi;
  readonly drains: DrainDesk;
  readonly elderDrains: ElderDrains;
  readonly serverDrain: ServerDrain;
  readonly shutdownDrain: ShutdownDrain;
  /** Undefined: connections stay where they were accepted. */
  readonly moves: ConnectionMoves | undefined;
  readonly sources: XdsSources;
  readonly runtime: RuntimeLoader;
  readonly reports: Reports;
}

export function createControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { pool, limits, clock, loggerOf, decoders } = parts;
  const { stats } = parts.slabs;
  // The stream opens with the first subscription, and then the clusters are there.
  const files = systemFiles(process.env);
  const tls = new TlsClients({
    clusters: parts.bootstrap.staticClusters,
    secrets: () => secrets,
    files,
    stats,
    loggerOf,
  });
  const sources = new XdsSources(parts, {
    hosts: (name) => clusters.hosts(name) ?? [],
    tls,
    hasCluster: (name) => clusters.hasCluster(name),
    judgeSecret: (secret) => secrets.judge(secret),
    judgeExtension: (config) => extensions.judge(config),
    onUnreadExtension: (name) => extensions.countUnread(name),
  });
  const secrets = createSecretManager(parts, sources, files);
  // First of all: workers have its values before they have anything else.
  const runtime = createRuntime(parts, sources);
  const contexts = createTlsContexts(parts, secrets, files);
  const clusters = createClusters(parts, sources, clusterTls(parts, { contexts, secrets, files }));
  answerGrpcStats(pool, clusters);
  const managers = { clusters, secrets, tls: contexts, files };
  const dependencies = createListenerDependencies(parts, sources, managers);
  const { routes, scopedRoutes, extensions } = dependencies;
  const draining = createDraining(parts);
  const { drainManager } = draining;
  const listenerSockets = createListenerSockets(parts);
  const listeners = new ListenerManager({
    pool,
    limits,
    stats,
    dependencies: dependencies.acquire,
    refusalOf: dependencies.refusalOf,
    knowsRedirects: parts.reactor === "epoll",
    drainManager,
    drainDefaults: draining.drainDefaults,
    clock,
    inquiry: draining.inquiry,
    drains: draining.runner,
    sockets: listenerSockets,
    comparison: decoders.comparison,
    hasCluster: (name) => clusters.hasCluster(name),
    warming: clusters.warming,
    log: loggerOf("config"),
  });
  const drainOrders = createDrainOrders(parts, draining, listeners);
  const reports = createReports(parts, clusters, tls);
  const members = {
    clusters,
    listeners,
    listenerSockets,
    routes,
    secrets,
    tls: contexts,
    extensions,
    scopedRoutes,
    ...drainOrders,
    moves: createMoves(parts, clusters, listeners),
    sources,
    runtime,
  };
  const ended = [members.moves, reports, runtime, sources, tls, clusters, listeners, secrets];
  return Object.assign(members, {
    reports,
    [Symbol.dispose]: () => disposeAll([...ended, drainManager]),
  });
}

function createListenerSockets({ pool, listenSockets, origins }: ControlPlaneParts) {
  const { concurrency } = pool;
  return new ListenerSockets(bindOrTake(listenSockets, origins, concurrency), concurrency);
}

function createClusters(
  parts: ControlPlaneParts,
  sources: XdsSources,
  tls: ClusterTls,
): ClusterManager {
  const { pool, limits, slabs, clock, random, loggerOf } = parts;
  return new ClusterManager({
    pool,
    limits,
    stats: slabs.stats,
    clock,
    random,
    resolve: withDeadline(systemDns, clock),
    createProber,
    tls,
    endpoints: sources.endpoints,
    log: loggerOf("upstream"),
    healthLog: loggerOf("health_checker"),
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

function createDraining({ options, pool, clock, slabs, lifecycle, loggerOf }: ControlPlaneParts) {
  const registry = new DrainRegistry({ clock, stats: slabs.stats, workers: pool.concurrency });
  const inquiry = new WorkerInquiry({ pool, clock });
  const drainManager = new DrainManager("modifyOnly", {
    clock,
    isHealthCheckFailed: () => lifecycle.isHealthCheckFailed,
  });
  const runner = new DrainRunner({ pool, inquiry, registry, clock, log: loggerOf("main") });
  return { registry, runner, inquiry, drainManager, drainDefaults: drainDefaultsOf(options) };
}

/** Drains by order of the admin, of a client, of a signal; and what need not drain. */
function createDrainOrders(
  { pool, clock, lifecycle }: ControlPlaneParts,
  { registry, runner, inquiry, drainManager, drainDefaults }: ReturnType<typeof createDraining>,
  listeners: ListenerManager,
) {
  const common = { pool, drainManager, drainDefaults, drains: runner, manager: listeners };
  const serverDrain = new ServerDrain({
    ...common,
    setHealthCheckFailed: (failed) => lifecycle.setHealthCheckFailed(failed),
  });
  const shutdownDrain = new ShutdownDrain({ ...common, clock, serverDrain });
  const server = serverDrain;
  const drains = new DrainSteering({ registry, runner, inquiry, server, listeners, clock });
  return { drains, elderDrains: registry.elders, serverDrain, shutdownDrain };
}

/** Connections that another process takes, or gives. */
function createMoves(
  { pool, limits, clock, options }: ControlPlaneParts,
  clusters: ClusterManager,
  manager: ListenerManager,
): ConnectionMoves | undefined {
  if (!options.movesConnections) return undefined;
  const hostsOf = (name: string) => clusters.hosts(name);
  return new ConnectionMoves({ pool, manager, limits, clock, hostsOf });
}

function disposeAll(parts: readonly (Disposable | undefined)[]): void {
  for (const part of parts) part?.[Symbol.dispose]();
}

/** Envoy's flags; a listener's metadata may say otherwise for itself. */
function drainDefaultsOf(options: ServerOptions): DrainPolicy {
  return {
    ...drainPolicyDefaults,
    timeMs: options.drainTimeMs,
    strategy: options.drainStrategy,
  };
}
