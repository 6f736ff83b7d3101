import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WorkerClusterTable } from "../../../src/data/upstream/worker-cluster-table.ts";
import type { Cluster } from "../../../src/data/upstream/cluster.ts";
import type { ClusterConfig } from "../../../src/shared/config/cluster-config.ts";
import {
  clusterConfig,
  clusterEnvironment,
  hostConfig,
  setCluster,
  setHosts,
} from "../../support/cluster-fixture.ts";

function clusterOf(overrides: Partial<ClusterConfig>, weights: readonly number[], seed: number) {
  const table = new WorkerClusterTable(clusterEnvironment(seed));
  const hosts = weights.map((weight, index) => hostConfig(index + 1, { weight }));
  table.set(setCluster(clusterConfig(overrides), hosts));
  return table.get("c") as Cluster;
}

function picksByHost(cluster: Cluster, count: number): number[] {
  const picks = new Map(cluster.hosts.map((host) => [host, 0]));
  for (let i = 0; i < count; i++) {
    const host = cluster.chooseHost();
    assert(host);
    picks.set(host, (picks.get(host) ?? 0) + 1);
  }
  return [...picks.values()];
}

const anyWeights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 });

test("round robin gives every host its weight's share, to within one pick", () => {
  fc.assert(
    fc.property(anyWeights, fc.nat(), fc.integer({ min: 1, max: 5 }), (weights, seed, rounds) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const picks = picksByHost(
        clusterOf({ lbPolicy: "roundRobin" }, weights, seed),
        total * rounds,
      );
      for (const [index, weight] of weights.entries()) {
        const off = Math.abs((picks[index] ?? 0) - weight * rounds);
        assert(off <= 1, `host ${index} of ${weights.join()} got ${picks.join()}`);
      }
    }),
  );
});

test("random and least request come near an equal share when nothing is under way", () => {
  for (const lbPolicy of ["random", "leastRequest"] as const) {
    const picks = picksByHost(clusterOf({ lbPolicy }, [1, 1, 1, 1], 7), 8_000);
    for (const count of picks) assert(count > 1_800 && count < 2_200, picks.join());
  }
});

test("random does not look at weights", () => {
  const picks = picksByHost(clusterOf({ lbPolicy: "random" }, [1, 9], 7), 8_000);
  for (const count of picks) assert(count > 3_700 && count < 4_300, picks.join());
});

test("least request keeps the number under way level", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 8 }), fc.nat(), (size, seed) => {
      const weights = Array.from({ length: size }, () => 1);
      const cluster = clusterOf({ lbPolicy: "leastRequest", choiceCount: size * 4 }, weights, seed);
      for (let i = 0; i < size * 50; i++) {
        const host = cluster.chooseHost();
        assert(host);
        host.activeRequests++;
      }
      const active = cluster.hosts.map((host) => host.activeRequests);
      assert(Math.max(...active) - Math.min(...active) <= 3, active.join());
    }),
  );
});

test("least request with unequal weights avoids the busy host", () => {
  const cluster = clusterOf({ lbPolicy: "leastRequest" }, [1, 2], 3);
  const [, heavy] = cluster.hosts;
  assert(heavy);
  heavy.activeRequests = 100;
  const [light = 0, busy = 0] = picksByHost(cluster, 1_000);
  assert(light > busy * 10, `${light} ${busy}`);
});

test("peekHost() tells the choices to come, as many as hosts are well, and changes none", () => {
  const policies = fc.constantFrom("roundRobin" as const, "random" as const);
  fc.assert(
    fc.property(policies, anyWeights, fc.nat(), fc.array(fc.boolean()), (lbPolicy, ...given) => {
      const [weights, seed, peeks] = given;
      const [cluster, other] = [1, 2].map(() => clusterOf({ lbPolicy }, weights, seed));
      assert(cluster && other);
      const peeked: unknown[] = [];
      for (const isPeek of peeks) {
        if (!isPeek) {
          const chosen = cluster.chooseHost();
          assert.equal(chosen, peeked.shift() ?? chosen);
          assert.deepEqual(chosen?.config, other.chooseHost()?.config);
          continue;
        }
        const host = cluster.peekHost();
        assert.equal(host === undefined, peeked.length === weights.length);
        if (host) peeked.push(host);
      }
    }),
  );
});

test("peekHost() knows no choice that is made by load, and forgets those of hosts that changed", () => {
  assert.equal(clusterOf({ lbPolicy: "leastRequest" }, [1, 1], 1).peekHost(), undefined);
  const table = new WorkerClusterTable(clusterEnvironment());
  table.set(setCluster(clusterConfig(), [hostConfig(1)]));
  const cluster = table.get("c") as Cluster;
  assert.equal(cluster.peekHost(), cluster.hosts[0]);
  table.setHosts(setHosts([hostConfig(2)]));
  assert.equal(cluster.chooseHost(), cluster.hosts[0]);
  table.setHosts(setHosts([hostConfig(2, { health: "degraded" })]));
  assert.equal(cluster.peekHost(), undefined);
});
