import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BehaviorSubject } from "rxjs";
import { ClusterManager } from "../../src/control/cluster/cluster-manager.ts";
import { noClusterTls } from "../support/no-cluster-tls.ts";
import { SharedLimits } from "../../src/control/workers/shared-limits.ts";
import type { ResourceState } from "../../src/control/xds/resource-batch.ts";
import type { HostConfig, LoadAssignment } from "../../src/shared/config/cluster-config.ts";
import type { WorkerCommand } from "../../src/shared/protocol/worker-command.ts";
import { type ClusterSketch, assignment, decodedCluster } from "../support/cluster-builders.ts";
import { FakeStats } from "../support/fake-stats.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { silentLog } from "../support/silent-log.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A worker as far as clusters go: what the commands leave behind. */
class WorkerClusters {
  readonly held = new Map<string, readonly HostConfig[]>();

  handle(command: WorkerCommand): void {
    if (command.kind === "setCluster") this.held.set(command.config.name, command.hosts);
    if (command.kind === "setHosts") {
      assert(this.held.has(command.cluster), "hosts of a cluster that no worker knows");
      this.held.set(command.cluster, command.hosts);
    }
    if (command.kind === "removeCluster") {
      assert(this.held.delete(command.name), "a cluster is removed that no worker knows");
    }
  }
}

class World {
  readonly worker = new WorkerClusters();
  readonly stats = new FakeStats();
  readonly clock = new VirtualClock();
  readonly states = new Map<string, BehaviorSubject<ResourceState<LoadAssignment>>>();
  readonly addresses: string[] = ["10.0.0.1"];
  readonly manager = new ClusterManager({
    tls: noClusterTls,
    pool: {
      post: (command) => this.worker.handle(command),
      broadcast: async (build) => this.worker.handle(build(1, 0)),
    },
    limits: new SharedLimits(10_000),
    stats: this.stats,
    endpoints: ({ serviceName }) => this.state(serviceName),
    resolve: async () => ({ ok: true, addresses: [...this.addresses], ttlMs: undefined }),
    clock: this.clock,
    random: seededRandom(1),
    log: silentLog,
    createProber: () => assert.fail("no cluster has health checks"),
    healthLog: silentLog,
  });

  state(name: string): BehaviorSubject<ResourceState<LoadAssignment>> {
    const known = this.states.get(name);
    if (known) return known;
    const state = new BehaviorSubject<ResourceState<LoadAssignment>>({ kind: "requested" });
    this.states.set(name, state);
    return state;
  }

  /** Workers hold the active clusters with their present hosts, and gauges say how many there are. */
  check(): void {
    const { clusters } = this.manager.view();
    const active = clusters.filter(({ state }) => state === "active");
    assert.deepEqual(this.worker.held, new Map(active.map(({ name, hosts }) => [name, hosts])));
    const gauge = (name: string): number => this.stats.value(`cluster_manager.${name}`);
    assert.equal(gauge("active_clusters"), active.length);
    assert.equal(gauge("warming_clusters"), clusters.length - active.length);
    for (const { name, hosts } of active) {
      assert.equal(this.stats.value(`cluster.${name}.membership_total`), hosts.length);
    }
  }
}

const name = fc.constantFrom("a", "b", "c");
const hosts = fc.uniqueArray(fc.constantFrom("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"));
const sketch: fc.Arbitrary<ClusterSketch> = fc.oneof(
  fc.record({ name, hosts }),
  fc.record({ name, eds: fc.constantFrom("s", "t") }),
  fc.record({ name, dns: fc.constant(["one.test:80"]) }),
);
type Act = (world: World) => void | Promise<void>;
const act: fc.Arbitrary<Act> = fc.oneof(
  fc
    .tuple(fc.uniqueArray(sketch, { selector: (each) => each.name }), fc.uniqueArray(name))
    .map(([changed, removed]) => (world: World) => {
      const names = new Set(changed.map((each) => each.name));
      world.manager.apply({
        version: "v",
        changed: changed.map((each) => ({ value: decodedCluster(each) })),
        removed: removed.filter((each) => !names.has(each)),
        refuse: assert.fail,
      });
    }),
  fc.tuple(fc.constantFrom("s", "t"), hosts).map(([service, addresses]) => (world: World) => {
    const value = assignment(service, addresses);
    const resource = { name: service, version: "1", bytes: new Uint8Array(), value };
    world.state(service).next({ kind: "present", resource });
  }),
  fc.constantFrom("s", "t").map((service) => (world: World) => {
    world.state(service).next({ kind: "absent", reason: "timeout" });
  }),
  fc.nat({ max: 20_000 }).map((ms) => (world: World) => world.clock.advance(ms)),
  fc.constantFrom("10.0.0.1", "10.0.0.2").map((address) => (world: World) => {
    world.addresses.splice(0, 1, address);
  }),
);

test("workers hold exactly the active clusters, whatever comes in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const world = new World();
      for (const each of acts) {
        await each(world);
        world.check();
      }
      const removed = ["a", "b", "c"];
      world.manager.apply({ version: "v", changed: [], removed, refuse: assert.fail });
      await world.clock.advance(0);
      world.check();
      assert.equal(world.worker.held.size, 0);
      assert.equal(world.clock.pendingCount, 0, "timers of removed clusters");
      assert.deepEqual(world.stats.prefixes, ["cluster_manager."]);
      for (const state of world.states.values()) assert.equal(state.observed, false);
    }),
    { numRuns: 300 },
  );
});
