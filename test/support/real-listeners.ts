/** A listener manager over real workers, real sockets and real time: everything of a server but xDS and admin. */
import assert from "node:assert/strict";
import { of } from "rxjs";
import { ClusterManager } from "../../src/control/cluster/cluster-manager.ts";
import { noClusterTls } from "./no-cluster-tls.ts";
import { createProber } from "../../src/control/cluster/health-check/create-prober.ts";
import { systemDns } from "../../src/control/cluster/dns-resolver.ts";
import { DrainRegistry } from "../../src/control/listener/drain-registry.ts";
import { DrainRunner } from "../../src/control/listener/drain-runner.ts";
import { ListenerManager } from "../../src/control/listener/listener-manager.ts";
import { ListenerSockets } from "../../src/control/listener/listener-sockets.ts";
import { RdsApi } from "../../src/control/listener/rds-api.ts";
import { SharedLimits } from "../../src/control/workers/shared-limits.ts";
import { WorkerInquiry } from "../../src/control/workers/worker-inquiry.ts";
import { WorkerPool } from "../../src/control/workers/worker-pool.ts";
import { createDataPlane } from "../../src/data/connection-handler/data-plane.ts";
import { systemClock } from "../../src/shared/common/clock.ts";
import { logComponents } from "../../src/shared/common/log.ts";
import { systemRandom } from "../../src/shared/common/random.ts";
import type { DrainPolicy } from "../../src/shared/drain/drain.ts";
import { DrainManager } from "../../src/shared/drain/drain-manager.ts";
import { createSlab, StatSlab } from "../../src/shared/stats/slab.ts";
import { sluiceWorkerStats } from "../../src/shared/stats/stat-names.ts";
import { StatStore } from "../../src/shared/stats/stat-store.ts";
import { decodedCluster } from "./cluster-builders.ts";
import { type ListenerSketch, decodedListener } from "./config-builders.ts";
import { fakeComparison } from "./listener-harness.ts";
import { silentLog } from "./silent-log.ts";
import { noOverloadSlots } from "../../src/shared/protocol/overload.ts";

export interface RealListenersOptions {
  readonly reactor: "epoll" | "node";
  readonly concurrency: number;
  readonly drain: DrainPolicy;
  /** Port on loopback of the one upstream of the cluster `upstream`. */
  readonly upstreamPort: number;
}

export interface RealListeners extends AsyncDisposable {
  readonly manager: ListenerManager;
  readonly drains: DrainRegistry;
  readonly sockets: ListenerSockets;
  readonly store: StatStore;
  push(
    changed: readonly ListenerSketch[],
    removed?: readonly string[],
  ): Promise<Readonly<Record<string, string>>>;
  /** Of the active listener. */
  port(name: string): number;
}

export async function startListeners(options: RealListenersOptions): Promise<RealListeners> {
  const { reactor, concurrency } = options;
  const dataPlane = await createDataPlane(reactor);
  const main = createSlab();
  const slabs = Array.from({ length: concurrency }, () => createSlab());
  const store = new StatStore([main, ...slabs]);
  const stats = { allocator: store, slab: new StatSlab(main) };
  const limits = new SharedLimits();
  const pool = new WorkerPool({
    concurrency,
    spawn: dataPlane.spawn,
    init: (index) => ({
      reactor,
      slab: slabs[index] as SharedArrayBuffer,
      limits: limits.buffer,
      logLevels: new SharedArrayBuffer(logComponents.length * 4),
      slots: {
        dispatcher: undefined,
        overload: noOverloadSlots,
        sluice: store.allocate(sluiceWorkerStats, "sluice.worker."),
      },
      pulseMs: 50,
      arenaBytesMax: 64 * 1024 * 1024,
      fileFlushIntervalMs: 100,
      fileFlushMinBytes: 1024,
      accessLogBytes: limits.allocate(1) ?? 0,
      httpFilterFiles: [],
    }),
  });
  await pool.ready;
  const common = { pool, limits, stats, clock: systemClock, log: silentLog };
  const clusters = new ClusterManager({
    tls: noClusterTls,
    ...common,
    random: systemRandom,
    resolve: systemDns,
    createProber,
    healthLog: silentLog,
    endpoints: () => of({ kind: "absent", reason: "timeout" }),
  });
  const hosts = [`127.0.0.1:${options.upstreamPort}`];
  clusters.addStatic(decodedCluster({ name: "upstream", hosts }));
  const drains = new DrainRegistry({ clock: systemClock, stats, workers: concurrency });
  const sockets = new ListenerSockets(
    (address, wanted) => dataPlane.listenSockets.openListenSocket(address, wanted),
    concurrency,
  );
  const routes = new RdsApi({
    pool,
    source: () => of({ kind: "absent", reason: "timeout" }),
    wallTime: () => 0,
    log: silentLog,
  });
  const inquiry = new WorkerInquiry({ pool, clock: systemClock });
  const manager = new ListenerManager({
    ...common,
    inquiry,
    sockets,
    drains: new DrainRunner({
      pool,
      registry: drains,
      inquiry,
      clock: systemClock,
      log: silentLog,
    }),
    dependencies: (dependency, onReady) => {
      assert(dependency.kind === "rds", dependency.kind);
      return routes.acquire(dependency, onReady);
    },
    drainManager: new DrainManager("modifyOnly", {
      clock: systemClock,
      isHealthCheckFailed: () => false,
    }),
    drainDefaults: options.drain,
    comparison: fakeComparison,
    hasCluster: (name) => clusters.hasCluster(name),
  });
  await manager.startWorkers();
  let version = 0;
  return {
    manager,
    drains,
    sockets,
    store,
    async push(changed, removed = []) {
      const refused: Record<string, string> = {};
      await manager.apply({
        version: `v${++version}`,
        changed: changed.map((sketch) => ({ value: decodedListener(sketch) })),
        removed,
        refuse: (name, message) => {
          refused[name] = message;
        },
      });
      return refused;
    },
    port(name) {
      const view = manager
        .view()
        .listeners.find((each) => each.name === name && each.state === "active");
      const [address] = view?.localAddresses ?? [];
      if (address?.kind !== "ip") throw new Error(`no active listener ${name}`);
      return address.port;
    },
    async [Symbol.asyncDispose]() {
      manager[Symbol.dispose]();
      clusters[Symbol.dispose]();
      pool.shutdown();
      await pool.exited;
    },
  };
}
