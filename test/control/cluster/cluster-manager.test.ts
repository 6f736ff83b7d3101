import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BehaviorSubject } from "rxjs";
import type { DecodedCluster } from "../../../src/control/config/decoded-cluster.ts";
import { ClusterManager } from "../../../src/control/cluster/cluster-manager.ts";
import { noClusterTls } from "../../support/no-cluster-tls.ts";
import type { DnsAnswer } from "../../../src/control/cluster/dns-resolver.ts";
import { SharedLimits } from "../../../src/control/workers/shared-limits.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import type { LoadAssignment } from "../../../src/shared/config/cluster-config.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { type ClusterSketch, assignment, decodedCluster } from "../../support/cluster-builders.ts";
import { silentLog } from "../../support/silent-log.ts";
import { FakeProbers, refused, unreachable } from "../../support/fake-probers.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { httpCheck } from "../../support/health-checks.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

class Harness {
  readonly clock = new VirtualClock();
  readonly stats = new FakeStats();
  readonly limits = new SharedLimits(10_000);
  readonly commands: WorkerCommand[] = [];
  readonly names = new Map<string, DnsAnswer>();
  readonly states = new Map<string, BehaviorSubject<ResourceState<LoadAssignment>>>();
  readonly probers = new FakeProbers();
  readonly manager: ClusterManager;

  constructor() {
    const { clock, stats, limits } = this;
    this.manager = new ClusterManager({
      tls: noClusterTls,
      pool: {
        post: (command) => void this.commands.push(command),
        broadcast: async (build) => void this.commands.push(build(1, 0)),
      },
      limits,
      stats,
      endpoints: ({ serviceName }) => this.assignmentState(serviceName),
      resolve: async (host) => this.names.get(host) ?? { ok: false, error: "ENOTFOUND" },
      clock,
      random: seededRandom(1),
      log: silentLog,
      createProber: this.probers.create,
      healthLog: silentLog,
    });
  }

  push(
    changed: readonly ClusterSketch[],
    removed: readonly string[] = [],
  ): Readonly<Record<string, string>> {
    const refused: Record<string, string> = {};
    this.manager.apply({
      version: "v",
      changed: changed.map((sketch) => ({ value: decodedCluster(sketch) as DecodedCluster })),
      removed,
      refuse: (name, message) => {
        refused[name] = message;
      },
    });
    return refused;
  }

  assignmentState(name: string): BehaviorSubject<ResourceState<LoadAssignment>> {
    const known = this.states.get(name);
    if (known) return known;
    const state = new BehaviorSubject<ResourceState<LoadAssignment>>({ kind: "requested" });
    this.states.set(name, state);
    return state;
  }

  assign(name: string, addresses: readonly string[]): void {
    const value = assignment(name, addresses);
    const resource = { name, version: "e1", bytes: new Uint8Array(), value };
    this.assignmentState(name).next({ kind: "present", resource });
  }

  hosts(name: string): readonly string[] {
    return (this.manager.hosts(name) ?? []).map(({ address }) =>
      address.kind === "ip" ? `${address.ip}:${address.port}` : address.path,
    );
  }

  kinds(): readonly string[] {
    return this.commands.splice(0).map((command) => command.kind);
  }

  assertStats(expected: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(this.stats.value(`cluster_manager.${name}`), value, name);
    }
  }
}

describe("static clusters", () => {
  test("are active at once, with their hosts and gauges", () => {
    const harness = new Harness();
    assert.deepEqual(harness.push([{ name: "a", hosts: ["10.0.0.1:80", "10.0.0.2:80"] }]), {});
    harness.assertStats({ cluster_added: 1, active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.kinds(), ["setCluster"]);
    assert.equal(harness.stats.value("cluster.a.membership_total"), 2);
    assert.equal(harness.stats.value("cluster.a.membership_healthy"), 2);
    assert.equal(harness.stats.value("cluster.a.membership_change"), 1);
  });

  test("of the same bytes are ignored; changed ones replace in one command", () => {
    const harness = new Harness();
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"] }]);
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"] }]);
    harness.assertStats({ cluster_added: 1, cluster_modified: 0 });
    harness.push([{ name: "a", hosts: ["10.0.0.2:80"] }]);
    harness.assertStats({ cluster_added: 1, cluster_modified: 1, active_clusters: 1 });
    assert.deepEqual(harness.kinds(), ["setCluster", "setCluster"]);
    assert.deepEqual(harness.hosts("a"), ["10.0.0.2:80"]);
  });

  test("of the bootstrap cannot be changed, removed or added twice", () => {
    const harness = new Harness();
    const decoded = decodedCluster({ name: "s", hosts: ["10.0.0.1:80"] });
    assert.equal(harness.manager.addStatic(decoded), undefined);
    assert.equal(harness.manager.addStatic(decoded), "cluster manager: duplicate cluster 's'");
    harness.push([{ name: "s", hosts: ["10.0.0.2:80"] }], ["s"]);
    assert.deepEqual(harness.hosts("s"), ["10.0.0.1:80"]);
    harness.assertStats({ cluster_added: 1, cluster_removed: 0, active_clusters: 1 });
    const skipped = () =>
      harness.manager.view().skipped.map(({ name, details }) => [name, details]);
    assert.deepEqual(skipped(), []);
    harness.push([{ name: "s", hosts: ["10.0.0.2:80"] }]);
    harness.push([{ name: "b", hosts: ["10.0.0.2:80"] }]);
    assert.deepEqual(skipped(), [["s", "the bootstrap has a cluster of this name"]]);
    harness.push([], ["s"]);
    assert.deepEqual(skipped(), []);
  });

  test("that could not be read are shown with their reasons until the next push", () => {
    const harness = new Harness();
    const unread = { name: "x", version: "7", bytes: new Uint8Array([1]), errors: ["a", "b"] };
    const batch = { version: "7", changed: [], removed: [], refuse: () => {} };
    harness.manager.apply({ ...batch, rejected: [unread] });
    const [error] = harness.manager.view().errors;
    assert.deepEqual([error?.name, error?.version, error?.details], ["x", "7", "a; b"]);
    harness.manager.apply(batch);
    assert.deepEqual(harness.manager.view().errors, []);
  });

  test("give their counters back when they are removed and nobody counts", async () => {
    const harness = new Harness();
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"] }]);
    const [command] = harness.commands;
    assert(command?.kind === "setCluster");
    const counts = new Int32Array(harness.limits.buffer);
    Atomics.add(counts, command.limits, 1);
    harness.push([], ["a"]);
    await harness.clock.advance(0);
    harness.assertStats({ cluster_removed: 1, active_clusters: 0 });
    assert(harness.stats.prefixes.includes("cluster.a."), "a connection still counts");
    Atomics.sub(counts, command.limits, 1);
    harness.push([]);
    assert.deepEqual(harness.stats.prefixes, ["cluster_manager."]);
  });
});

describe("EDS clusters", () => {
  test("warm until the first assignment, then follow it", async () => {
    const harness = new Harness();
    harness.push([{ name: "a", eds: "svc" }]);
    harness.assertStats({ cluster_added: 1, active_clusters: 0, warming_clusters: 1 });
    assert.deepEqual(harness.manager.view().clusters[0]?.awaiting, ["eds svc"]);
    assert(harness.manager.hasCluster("a"));
    assert.deepEqual(harness.kinds(), []);
    const initialized = harness.manager.whenInitialized();
    harness.assign("svc", ["10.0.0.1:80"]);
    await initialized;
    harness.assertStats({ active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.kinds(), ["setCluster"]);
    harness.assign("svc", ["10.0.0.1:80", "10.0.0.2:80"]);
    harness.assign("svc", ["10.0.0.2:80", "10.0.0.1:80"]);
    assert.deepEqual(harness.kinds(), ["setHosts"], "another order is no change");
    harness.assertStats({ cluster_updated: 1 });
    assert.equal(harness.stats.value("cluster.a.membership_total"), 2);
  });

  test("without an answer in time become active without hosts", () => {
    const harness = new Harness();
    harness.push([{ name: "a", eds: "svc" }]);
    harness.assignmentState("svc").next({ kind: "absent", reason: "timeout" });
    harness.assertStats({ active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.hosts("a"), []);
    harness.assign("svc", ["10.0.0.1:80"]);
    harness.assignmentState("svc").next({ kind: "rejected", errors: ["bad"] });
    assert.deepEqual(harness.hosts("a"), ["10.0.0.1:80"], "a later failure changes nothing");
  });

  test("keep the version that serves until its successor is warm", () => {
    const harness = new Harness();
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"] }]);
    harness.push([{ name: "a", eds: "svc" }]);
    harness.assertStats({ active_clusters: 1, warming_clusters: 1 });
    assert.deepEqual(harness.hosts("a"), ["10.0.0.1:80"]);
    harness.assign("svc", ["10.0.0.9:80"]);
    harness.assertStats({ active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.hosts("a"), ["10.0.0.9:80"]);
  });

  test("are waited for by who points at them, until they are warm or removed", () => {
    const harness = new Harness();
    const events: string[] = [];
    const wait = (...names: string[]) =>
      harness.manager.warming.waitFor(names, () => events.push(names.join()));
    assert.equal(wait("unknown"), undefined);
    harness.push([
      { name: "a", eds: "a" },
      { name: "b", eds: "b" },
      { name: "c", hosts: [] },
    ]);
    assert.equal(wait("c"), undefined);
    assert.deepEqual(wait("a", "b", "c")?.awaiting, ["a", "b"]);
    wait("b");
    wait("a")?.[Symbol.dispose]();
    harness.assign("a", ["10.0.0.1:80"]);
    assert.deepEqual(events, []);
    harness.push([], ["b"]);
    assert.deepEqual(events, ["a,b,c", "b"]);
    harness.push([{ name: "a", eds: "a2" }]);
    assert.equal(wait("a"), undefined, "an older version serves");
  });

  test("removed while warming were never told to workers", () => {
    const harness = new Harness();
    harness.push([{ name: "a", eds: "svc" }]);
    harness.push([], ["a"]);
    harness.assertStats({ cluster_removed: 1, active_clusters: 0, warming_clusters: 0 });
    assert.deepEqual(harness.kinds(), []);
    assert.equal(harness.assignmentState("svc").observed, false);
    assert.deepEqual(harness.stats.prefixes, ["cluster_manager."]);
  });
});

describe("clusters with health checks", () => {
  const health = {
    check: httpCheck(),
    ignoreHealthOnHostRemoval: false,
    ignoreNewHostsUntilFirstCheck: false,
  };

  test("warm until each host was checked, and what waits for them waits so long", async () => {
    const harness = new Harness();
    harness.push([{ name: "a", hosts: ["10.0.0.1:80", "10.0.0.2:80"], health }]);
    harness.assertStats({ active_clusters: 0, warming_clusters: 1 });
    assert.equal(harness.stats.value("cluster.a.warming_state"), 1);
    const initialized = harness.manager.whenInitialized();
    harness.probers.answer("10.0.0.1:80");
    assert.deepEqual(harness.manager.view().clusters[0]?.awaiting, ["health checks of 1 hosts"]);
    assert.deepEqual(harness.kinds(), []);
    harness.probers.answer("10.0.0.2:80", refused);
    await initialized;
    harness.assertStats({ active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.kinds(), ["setCluster"]);
    assert.equal(harness.stats.value("cluster.a.membership_healthy"), 1);
    assert.equal(harness.stats.value("cluster.a.membership_total"), 2);
    harness.manager[Symbol.dispose]();
    assert.equal(harness.clock.pendingCount, 0);
  });

  test("tell workers of each change; a change of health is none of membership", async () => {
    const harness = new Harness();
    harness.push([{ name: "a", eds: "svc", health }]);
    harness.assign("svc", ["10.0.0.1:80"]);
    harness.probers.answer("10.0.0.1:80");
    harness.kinds();
    await harness.clock.advance(1_000);
    harness.probers.answer("10.0.0.1:80", refused);
    assert.deepEqual(harness.kinds(), ["setHosts"]);
    assert.equal(harness.stats.value("cluster.a.membership_healthy"), 0);
    assert.equal(harness.stats.value("cluster.a.membership_change"), 1);
    harness.assertStats({ cluster_updated: 1 });
    harness.push([], ["a"]);
    assert.equal(harness.probers.targets.size, 0);
    assert.equal(harness.clock.pendingCount, 0);
  });

  test("are checked anew when they change, while the version before serves", () => {
    const harness = new Harness();
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"] }]);
    harness.push([{ name: "a", hosts: ["10.0.0.1:80"], health }]);
    harness.assertStats({ active_clusters: 1, warming_clusters: 1 });
    harness.probers.answer("10.0.0.1:80", unreachable);
    harness.assertStats({ active_clusters: 1, warming_clusters: 0 });
    assert.deepEqual(harness.manager.hosts("a")?.[0]?.flags, ["failed_active_hc"]);
  });
});

describe("STRICT_DNS clusters", () => {
  const found = (...addresses: string[]): DnsAnswer => ({ ok: true, addresses, ttlMs: undefined });

  test("have every address of every name, resolved again and again", async () => {
    const harness = new Harness();
    harness.names.set("one.test", found("10.0.0.1", "10.0.0.2"));
    harness.push([{ name: "a", dns: ["one.test:80", "10.9.9.9:81"] }]);
    assert.deepEqual(harness.manager.view().clusters[0]?.awaiting, ["dns one.test"]);
    await harness.clock.advance(0);
    assert.deepEqual(harness.hosts("a"), ["10.0.0.1:80", "10.0.0.2:80", "10.9.9.9:81"]);
    harness.names.set("one.test", found("10.0.0.2", "10.0.0.1"));
    await harness.clock.advance(6_000);
    harness.assertStats({ cluster_updated: 0 });
    harness.names.set("one.test", found("10.0.0.3"));
    await harness.clock.advance(6_000);
    assert.deepEqual(harness.hosts("a"), ["10.0.0.3:80", "10.9.9.9:81"]);
    harness.assertStats({ cluster_updated: 1 });
    harness.manager[Symbol.dispose]();
    assert.equal(harness.clock.pendingCount, 0);
  });

  test("are warm after a failure and keep their hosts over one", async () => {
    const harness = new Harness();
    harness.push([{ name: "a", dns: ["one.test:80"] }]);
    await harness.clock.advance(0);
    harness.assertStats({ active_clusters: 1 });
    assert.deepEqual(harness.hosts("a"), []);
    harness.names.set("one.test", found("10.0.0.1"));
    await harness.clock.advance(6_000);
    harness.names.set("one.test", { ok: false, error: "SERVFAIL" });
    await harness.clock.advance(60_000);
    assert.deepEqual(harness.hosts("a"), ["10.0.0.1:80"]);
    assert(harness.stats.value("cluster.a.update_failure") >= 10);
    assert.equal(harness.stats.value("cluster.a.update_success"), 1);
  });

  test("respect the records' time to live, never below a second", async () => {
    const harness = new Harness();
    harness.names.set("one.test", { ok: true, addresses: ["10.0.0.1"], ttlMs: 0 });
    harness.push([{ name: "a", dns: ["one.test:80"], respectTtl: true }]);
    await harness.clock.advance(10_000);
    const attempts = harness.stats.value("cluster.a.update_attempt");
    assert(attempts >= 9 && attempts <= 11, `${attempts} attempts in ten seconds`);
  });
});
