import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { BehaviorSubject, Subject } from "rxjs";
import type { DecodedListener } from "../../src/control/config/decoded-listener.ts";
import type { DecodedScope } from "../../src/control/config/decoded-scope.ts";
import type { DecodedRouteConfig } from "../../src/control/config/decoded-route-config.ts";
import { type ClusterWarming, ClusterWaits } from "../../src/control/cluster/cluster-warming.ts";
import { acquireRoutesFrom, answerFrom } from "../../src/control/server/routing-setup.ts";
import type { DrainDesk } from "../../src/control/listener/drain-desk.ts";
import { DrainRegistry } from "../../src/control/listener/drain-registry.ts";
import { DrainRunner } from "../../src/control/listener/drain-runner.ts";
import { DrainSteering } from "../../src/control/listener/drain-steering.ts";
import { ListenerManager } from "../../src/control/listener/listener-manager.ts";
import { ListenerSockets } from "../../src/control/listener/listener-sockets.ts";
import type { ListenerComparison } from "../../src/control/listener/listener-update.ts";
import { OnDemandDesk } from "../../src/control/listener/on-demand-desk.ts";
import { ScopedRdsApi } from "../../src/control/listener/scoped-rds-api.ts";
import { RdsApi, type RouteSource } from "../../src/control/listener/rds-api.ts";
import { ServerDrain } from "../../src/control/listener/server-drain.ts";
import type { ShutdownDrainContext } from "../../src/control/listener/shutdown-drain.ts";
import { SharedLimits } from "../../src/control/workers/shared-limits.ts";
import { WorkerInquiry } from "../../src/control/workers/worker-inquiry.ts";
import { WorkerPool } from "../../src/control/workers/worker-pool.ts";
import type { ResourceBatch, ResourceState } from "../../src/control/xds/resource-batch.ts";
import { type DrainPolicy, drainPolicyDefaults } from "../../src/shared/drain/drain.ts";
import { DrainManager } from "../../src/shared/drain/drain-manager.ts";
import { type ListenerSketch, decodedListener, decodedRoutes } from "./config-builders.ts";
import { FakeSockets } from "./fake-sockets.ts";
import { FakeStats } from "./fake-stats.ts";
import { FakeWorker } from "./fake-worker.ts";
import { silentLog } from "./silent-log.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { noOverloadSlots } from "../../src/shared/protocol/overload.ts";

export interface HarnessOptions {
  readonly workers?: number;
  readonly lazyThreshold?: number;
  readonly drain?: Partial<DrainPolicy>;
  /** How long a worker takes for a command. */
  readonly delayMs?: () => number;
  /** Clusters and routes of the test's own, in place of sets and subjects that it moves by hand. */
  readonly surroundings?: (harness: ListenerHarness) => Surroundings;
}

/** What listeners see of clusters and routes. */
export interface Surroundings {
  readonly routes: RouteSource;
  readonly hasCluster: (name: string) => boolean;
  readonly warming: ClusterWarming;
}

/** Total counts since the start and present sizes, as in Envoy's own `checkStats`. */
export interface ListenerStatsExpected {
  readonly added?: number;
  readonly modified?: number;
  readonly removed?: number;
  readonly warming?: number;
  readonly active?: number;
  readonly draining?: number;
  readonly drainingChains?: number;
}

/** A listener manager with everything around it faked: workers, kernel, xDS, time. */
export class ListenerHarness {
  readonly clock = new VirtualClock();
  readonly stats = new FakeStats();
  readonly kernel = new FakeSockets();
  readonly limits = new SharedLimits(100_000);
  readonly workers: FakeWorker[] = [];
  readonly pool: WorkerPool;
  readonly registry: DrainRegistry;
  readonly sockets: ListenerSockets;
  readonly routes: RdsApi;
  readonly scopedRoutes: ScopedRdsApi;
  readonly desk: OnDemandDesk;
  readonly manager: ListenerManager;
  readonly server: ServerDrain;
  readonly drains: DrainDesk;
  readonly drainContext: Pick<
    ShutdownDrainContext,
    "pool" | "drains" | "drainManager" | "drainDefaults"
  >;
  readonly clusters = new Set<string>(["upstream"]);
  /** Of those, the ones that still warm. */
  readonly warming = new Set<string>();
  readonly clusterWaits = new ClusterWaits((name) => this.warming.has(name));
  readonly routeStates = new Map<string, BehaviorSubject<ResourceState<DecodedRouteConfig>>>();
  readonly scopeBatches = new Subject<ResourceBatch<DecodedScope>>();
  readonly scopesAnswered = Promise.withResolvers<void>();
  isHealthCheckFailed = false;
  #version = 0;

  constructor(options: HarnessOptions = {}) {
    const { clock, stats, limits } = this;
    const log = silentLog;
    this.pool = new WorkerPool({
      concurrency: options.workers ?? 2,
      spawn: (init, handler) => {
        const worker = new FakeWorker(init, handler, clock, options.delayMs ?? (() => 0));
        worker.closeSocket = (handle) => this.#closeSocket(handle);
        this.workers.push(worker);
        return worker;
      },
      init: () => ({
        reactor: "epoll",
        slab: new SharedArrayBuffer(8),
        limits: limits.buffer,
        logLevels: new SharedArrayBuffer(8),
        slots: { sluice: 0, dispatcher: undefined, overload: noOverloadSlots },
        pulseMs: 50,
        arenaBytesMax: 1,
        fileFlushIntervalMs: 1,
        fileFlushMinBytes: 1,
        accessLogBytes: 0,
        httpFilterFiles: [],
      }),
    });
    const drainDefaults: DrainPolicy = {
      timeMs: 10_000,
      strategy: "gradual",
      ...drainPolicyDefaults,
      ...options.drain,
    };
    const { routes, hasCluster, warming } = options.surroundings?.(this) ?? this.#byHand();
    const workers = this.pool.concurrency;
    this.registry = new DrainRegistry({ clock, stats, workers });
    const inquiry = new WorkerInquiry({ pool: this.pool, clock });
    const { pool, registry } = this;
    const drains = new DrainRunner({ pool, registry, inquiry, clock, log });
    this.sockets = new ListenerSockets(this.kernel.bind, workers);
    this.routes = new RdsApi({
      pool: this.pool,
      source: routes,
      warming,
      wallTime: () => clock.wallTime(),
      log,
    });
    this.scopedRoutes = new ScopedRdsApi({
      pool: this.pool,
      source: () => ({
        batches: this.scopeBatches,
        whenAnswered: () => this.scopesAnswered.promise,
      }),
      routes: this.routes,
      stats,
      wallTime: () => clock.wallTime(),
      log,
    });
    this.desk = new OnDemandDesk(this.pool, answerFrom(this, { want: () => assert.fail() }));
    const drainManager = new DrainManager("modifyOnly", {
      clock,
      isHealthCheckFailed: () => this.isHealthCheckFailed,
    });
    const context = { pool: this.pool, inquiry, drains, drainManager, drainDefaults };
    this.drainContext = context;
    this.manager = new ListenerManager({
      ...context,
      limits,
      stats,
      sockets: this.sockets,
      dependencies: (dependency, onReady) => {
        assert(dependency.kind === "rds" || dependency.kind === "srds", dependency.kind);
        return acquireRoutesFrom(this)(dependency, onReady);
      },
      comparison: fakeComparison,
      hasCluster,
      warming,
      clock,
      log,
      ...(options.lazyThreshold === undefined ? {} : { lazyThreshold: options.lazyThreshold }),
    });
    this.server = new ServerDrain({
      ...context,
      manager: this.manager,
      setHealthCheckFailed: (isFailed) => {
        this.isHealthCheckFailed = isFailed;
      },
    });
    this.drains = new DrainSteering({
      registry,
      runner: drains,
      inquiry,
      server: this.server,
      listeners: this.manager,
      clock,
    });
  }

  /** Workers run: what is pushed serves once it is warm. */
  static async started(options: HarnessOptions = {}): Promise<ListenerHarness> {
    const harness = new ListenerHarness(options);
    await harness.manager.startWorkers();
    return harness;
  }

  /** One push of changes; the errors that would be in the NACK, by name. */
  async push(
    changed: readonly ListenerSketch[],
    removed: readonly string[] = [],
  ): Promise<Readonly<Record<string, string>>> {
    const refused: Record<string, string> = {};
    let isApplied = false;
    const applied = this.manager.apply({
      version: `v${++this.#version}`,
      changed: changed.map((sketch) => ({ value: decodedListener(sketch) })),
      removed,
      refuse: (name, message) => {
        refused[name] = message;
      },
    });
    void applied.then(() => (isApplied = true));
    // Workers answer by the clock, which stands still unless it is moved.
    while (!isApplied) await this.clock.advance(0);
    await this.settle();
    return refused;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(0);
  }

  routeState(name: string): BehaviorSubject<ResourceState<DecodedRouteConfig>> {
    const known = this.routeStates.get(name);
    if (known) return known;
    const state = new BehaviorSubject<ResourceState<DecodedRouteConfig>>({ kind: "requested" });
    this.routeStates.set(name, state);
    return state;
  }

  async sendRoutes(name: string, clusterNames: readonly string[] = []): Promise<void> {
    const value = decodedRoutes(name, clusterNames);
    const resource = { name, version: "r1", bytes: new Uint8Array(), value };
    this.routeState(name).next({ kind: "present", resource });
    await this.settle();
  }

  /** One push of SRDS; what would be in the NACK, by name. */
  async sendScopes(
    changed: readonly DecodedScope[],
    removed: readonly string[] = [],
  ): Promise<Readonly<Record<string, string>>> {
    const refused: Record<string, string> = {};
    const version = `s${++this.#version}`;
    this.scopeBatches.next({
      version,
      changed: changed.map((value) => ({
        name: value.name,
        version,
        bytes: new Uint8Array(),
        value,
      })),
      removed,
      rejected: [],
      refuse: (name, message) => (refused[name] = message),
      waitFor: () => {},
    });
    this.scopesAnswered.resolve();
    await this.settle();
    return refused;
  }

  async becomeWarm(cluster: string): Promise<void> {
    this.warming.delete(cluster);
    this.clusterWaits.settle();
    await this.settle();
  }

  /** Names of a set, in order. */
  names(state: "warming" | "active" | "draining"): readonly string[] {
    return this.manager
      .view()
      .listeners.filter((listener) => listener.state === state)
      .map((listener) => listener.name);
  }

  /** The tag of the one active listener of the name. */
  activeTag(name: string): ReturnType<ListenerManager["view"]>["listeners"][number]["tag"] {
    const view = this.manager
      .view()
      .listeners.find((listener) => listener.name === name && listener.state === "active");
    assert(view, `no active listener ${name}`);
    return view.tag;
  }

  #byHand(): Surroundings {
    return {
      routes: ({ routeConfigName }) => this.routeState(routeConfigName),
      hasCluster: (name) => this.clusters.has(name),
      warming: this.clusterWaits,
    };
  }

  /** What one worker closes, no other may still accept on: its number may come again for something else. */
  #closeSocket(handle: number): void {
    for (const { listeners, init } of this.workers) {
      const accepting = [...listeners.values()].filter(
        (held) => held.isAccepting && held.sockets.includes(handle),
      );
      assert.equal(accepting.length, 0, `worker ${init.index} still accepts on ${handle}`);
    }
    this.kernel.closeDisowned(handle);
  }

  worker(index: number): FakeWorker {
    const worker = this.workers[index];
    assert(worker);
    return worker;
  }

  assertStats(expected: ListenerStatsExpected): void {
    const read = (name: string): number => this.stats.value(`listener_manager.${name}`);
    const {
      added = 0,
      modified = 0,
      removed = 0,
      warming = 0,
      active = 0,
      draining = 0,
    } = expected;
    assert.deepEqual(
      {
        added: read("listener_added"),
        modified: read("listener_modified"),
        removed: read("listener_removed"),
        warming: read("total_listeners_warming"),
        active: read("total_listeners_active"),
        draining: read("total_listeners_draining"),
        drainingChains: read("total_filter_chains_draining"),
      },
      {
        added,
        modified,
        removed,
        warming,
        active,
        draining,
        drainingChains: expected.drainingChains ?? 0,
      },
    );
  }

  /** Nothing is left of any listener: sockets, stats, subscriptions, timers, workers' memory. `others`: prefixes of stats that may stay. */
  assertNothingIsHeld(others: readonly string[] = []): void {
    assert.equal(this.kernel.open.size, 0, "open sockets");
    assert.equal(this.sockets.size, 0, "registered sockets");
    assert.equal(this.routes.size, 0, "route subscriptions");
    assert.equal(this.scopedRoutes.size, 0, "scope subscriptions");
    assert.equal(this.desk.size, 0, "wants");
    assert.equal(this.clock.pendingCount, 0, "timers");
    const own = ["listener_manager.", "sluice.drain.", "sluice.listener_manager.", ...others];
    assert.deepEqual(this.stats.prefixes.toSorted(), own.toSorted());
    for (const worker of this.workers) {
      assert.equal(worker.listeners.size, 0, "listeners of a worker");
      assert.equal(worker.routes.size, 0, "routes of a worker");
    }
  }
}

/** Compares what the sketches said, as the real one compares messages. */
export const fakeComparison: ListenerComparison = {
  equivalent: (a, b) =>
    isDeepStrictEqual(a.config, b.config) && isDeepStrictEqual(a.dependencies, b.dependencies),
  isFilterChainOnlyChange: (a, b) =>
    isDeepStrictEqual({ ...a.config, filterChains: [] }, { ...b.config, filterChains: [] }),
  changedFields: (a, b) => changedFields(a, b),
  isLivePath: () => false,
};

function changedFields(a: DecodedListener, b: DecodedListener): readonly string[] {
  const keys = Object.keys(a.config) as (keyof DecodedListener["config"])[];
  return keys.filter((key) => !isDeepStrictEqual(a.config[key], b.config[key]));
}
