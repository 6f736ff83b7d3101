import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerClusterTable } from "../../../src/data/upstream/worker-cluster-table.ts";
import { WorkerRuntime } from "../../../src/data/upstream/worker-runtime.ts";
import { clusterStats } from "../../../src/shared/stats/stat-names.ts";
import {
  clusterConfig,
  clusterEnvironment,
  hostConfig,
  setCluster,
  setHosts,
} from "../../support/cluster-fixture.ts";

/** A pool that only knows whether it was told to drain. */
class FakePool {
  readonly isEmpty = true;
  readonly room = 0;
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
  [stays.http1Pool, leaves.http2Pool] = pools;

  table.setHosts(setHosts([hostConfig(3), hostConfig(1, { weight: 5 })]));

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
  table.setHosts(setHosts([hostConfig(2)]));
  assert.equal(table.get("c"), undefined);
});

test("a host that a health check fails loses what is pooled, and its TCP connections if asked", () => {
  const failed = hostConfig(1, { health: "unhealthy", flags: ["failed_active_hc"] });
  for (const closeConnectionsOnHealthFailure of [false, true]) {
    const table = new WorkerClusterTable(clusterEnvironment());
    table.set(setCluster(clusterConfig({ closeConnectionsOnHealthFailure }), [hostConfig(1)]));
    const [host] = table.get("c")?.hosts ?? [];
    assert(host);
    const pool = new FakePool();
    host.http2Pool = pool;
    let closed = 0;
    host.tcpConnections.add({ close: () => void closed++ });
    table.setHosts(
      setHosts([hostConfig(1, { health: "unhealthy", flags: ["failed_eds_health"] })]),
    );
    assert.deepEqual([pool.isDrained, closed], [false, 0], "an endpoint's status ends nothing");
    table.setHosts(setHosts([failed]));
    table.setHosts(setHosts([failed]));
    assert.deepEqual([pool.isDrained, closed], [true, closeConnectionsOnHealthFailure ? 1 : 0]);
  }
});

test("excluded hosts do not count for panic, and in panic nobody may be asked", () => {
  const healthy = hostConfig(1);
  const draining = (port: number) =>
    hostConfig(port, { health: "unhealthy", flags: ["eds_status_draining"] });
  const failed = (port: number) =>
    hostConfig(port, { health: "unhealthy", flags: ["failed_active_hc"] });
  const table = new WorkerClusterTable(clusterEnvironment());
  const chosen = (): ReadonlySet<number> => {
    const ports = Array.from({ length: 50 }, () => {
      const address = table.get("c")?.chooseHost()?.config.address;
      return address?.kind === "ip" ? address.port : 0;
    });
    return new Set(ports);
  };
  table.set(setCluster(clusterConfig(), [healthy, draining(2), draining(3)]));
  assert.deepEqual(chosen(), new Set([1]));
  table.setHosts(setHosts([healthy, failed(2), failed(3)]));
  assert.deepEqual(chosen(), new Set([1, 2, 3]), "in panic everybody is asked");
  table.set(
    setCluster(clusterConfig({ failTrafficOnPanic: true }), [healthy, failed(2), failed(3)]),
  );
  assert.deepEqual(chosen(), new Set([0]));
});

test("limits and the panic threshold follow runtime while the cluster serves", () => {
  const runtime = new WorkerRuntime();
  const table = new WorkerClusterTable({ ...clusterEnvironment(), runtime });
  const failed = hostConfig(1, { health: "unhealthy", flags: ["failed_active_hc"] });
  table.set(setCluster(clusterConfig(), [failed]));
  const cluster = table.get("c");
  assert(cluster);
  assert(cluster.chooseHost());
  assert(cluster.breakers.tryAcquire("requests"));
  runtime.set(
    new Map([
      ["circuit_breakers.c.default.max_requests", 1],
      ["upstream.healthy_panic_threshold", 0],
    ]),
  );
  table.followRuntime();
  assert.equal(cluster.breakers.tryAcquire("requests"), false);
  assert(cluster.highBreakers.tryAcquire("requests"), "each priority has a key of its own");
  assert.equal(cluster.chooseHost(), undefined);
  runtime.set(new Map());
  table.followRuntime();
  assert(cluster.breakers.tryAcquire("requests"));
  assert(cluster.chooseHost());
});

test("chooseHost() counts each choice made in panic, and finds none without hosts", () => {
  const environment = clusterEnvironment();
  const table = new WorkerClusterTable(environment);
  table.set(setCluster(clusterConfig(), [hostConfig(1, { health: "unhealthy" })]));
  assert(table.get("c")?.chooseHost());
  assert.equal(environment.slab.values[1 + clusterStats.offset("lb_healthy_panic")], 1);
  table.setHosts(setHosts([]));
  assert.equal(table.get("c")?.chooseHost(), undefined);
});
