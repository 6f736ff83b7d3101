import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerClusterTable } from "../../../src/data/upstream/worker-cluster-table.ts";
import { clusterStats } from "../../../src/shared/stats/stat-names.ts";
import {
  clusterConfig,
  clusterEnvironment,
  hostConfig,
  setCluster,
} from "../../support/cluster-fixture.ts";

/** A pool that only knows whether it was told to drain. */
class FakePool {
  isDrained = false;
  drain(): void {
    this.isDrained = true;
  }
}

test("setHosts() keeps the pools of hosts that stay and drains those of hosts that leave", () => {
  const table = new WorkerClusterTable(clusterEnvironment());
  table.set(setCluster(clusterConfig(), [hostConfig(1), hostConfig(2)]));
  const [stays, leaves] = table.get("c")?.hosts ?? [];
  assert(stays && leaves);
  const pools = [new FakePool(), new FakePool()] as const;
  [stays.pool, leaves.pool] = pools;

  table.setHosts("c", [hostConfig(3), hostConfig(1, { weight: 5 })]);

  const hosts = table.get("c")?.hosts ?? [];
  assert.deepEqual(
    hosts.map((host) => host.config.weight),
    [1, 5],
  );
  assert.equal(hosts[1], stays);
  assert.deepEqual([pools[0].isDrained, pools[1].isDrained], [false, true]);
  assert.deepEqual([stays.isMember, leaves.isMember], [true, false]);
});

test("set() of a cluster that is there drains the hosts of the old one", () => {
  const table = new WorkerClusterTable(clusterEnvironment());
  table.set(setCluster(clusterConfig(), [hostConfig(1)]));
  const before = table.get("c");
  const [host] = before?.hosts ?? [];
  assert(before && host);
  table.set(setCluster(clusterConfig({ lbPolicy: "random" }), [hostConfig(1)]));
  assert.equal(host.isMember, false);
  assert.notEqual(table.get("c"), before);
  assert.equal(table.get("c")?.activity, before.activity, "the gauges go on");
});

test("remove() leaves no cluster, and hosts for it that come late are ignored", () => {
  const table = new WorkerClusterTable(clusterEnvironment());
  table.set(setCluster(clusterConfig(), [hostConfig(1)]));
  table.remove("c");
  table.setHosts("c", [hostConfig(2)]);
  assert.equal(table.get("c"), undefined);
});

test("chooseHost() counts each choice made in panic, and finds none without hosts", () => {
  const environment = clusterEnvironment();
  const table = new WorkerClusterTable(environment);
  table.set(setCluster(clusterConfig(), [hostConfig(1, { health: "unhealthy" })]));
  assert(table.get("c")?.chooseHost());
  assert.equal(environment.slab.values[1 + clusterStats.offset("lb_healthy_panic")], 1);
  table.setHosts("c", []);
  assert.equal(table.get("c")?.chooseHost(), undefined);
});
