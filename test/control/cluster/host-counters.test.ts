import assert from "node:assert/strict";
import { test } from "node:test";
import { HostCounters, readHostCounts } from "../../../src/control/cluster/host-counters.ts";
import { hostStats } from "../../../src/shared/stats/stat-names.ts";
import { hostConfig } from "../../support/cluster-fixture.ts";
import { FakeStats } from "../../support/fake-stats.ts";

function harness() {
  const stats = new FakeStats();
  const pings: (() => void)[] = [];
  const counters = new HostCounters(stats.allocator, {
    broadcast: () => new Promise((resolve) => pings.push(resolve)),
  });
  return {
    stats,
    counters,
    /** Every worker has carried out what was posted to it. */
    heard: async (): Promise<void> => {
      for (const resolve of pings.splice(0)) resolve();
      await Promise.resolve();
      await Promise.resolve();
    },
    count: (block: number | undefined, name: Parameters<typeof hostStats.offset>[0]): void =>
      stats.slab.add(block ?? 0, hostStats.offset(name)),
    get pingCount(): number {
      return pings.length;
    },
  };
}

test("a host keeps its block while it is there, whatever else changes", () => {
  const { counters } = harness();
  const [a, b] = counters.assign("c", [hostConfig(1), hostConfig(2)]);
  assert.notEqual(a, b);
  const moved = hostConfig(1, { weight: 7, priority: 1 });
  assert.deepEqual(counters.assign("c", [hostConfig(3), moved]).slice(1), [a]);
  assert.notEqual(counters.assign("other", [hostConfig(1)])[0], a);
});

test("of two hosts with one address the first is counted, as on workers", () => {
  const { counters, stats } = harness();
  const [, second] = counters.assign("c", [hostConfig(1), hostConfig(1, { priority: 1 })]);
  assert.equal(second, 0);
  assert.equal(stats.unnamed, 1);
  assert.equal(readHostCounts(stats.allocator, 0).rqTotal, 0);
});

test("a block is given back once workers have heard and nothing is open", async () => {
  const { counters, stats, count, heard } = harness();
  const [block] = counters.assign("c", [hostConfig(1)]);
  count(block, "rq_total");
  counters.assign("c", []);
  counters.sweep();
  counters.sweep();
  assert.equal(stats.unnamed, 1, "workers have not heard");
  await heard();
  counters.sweep();
  assert.equal(stats.unnamed, 1, "a request is under way");
  assert.equal(readHostCounts(stats.allocator, block ?? 0).rqActive, 1);
  count(block, "rq_ended");
  counters.sweep();
  assert.equal(stats.unnamed, 0);
});

test("a host that comes back begins at zero", () => {
  const { counters, stats, count } = harness();
  const [before] = counters.assign("c", [hostConfig(1)]);
  count(before, "rq_success");
  counters.assign("c", []);
  const [after] = counters.assign("c", [hostConfig(1)]);
  assert.notEqual(after, before);
  assert.equal(readHostCounts(stats.allocator, after ?? 0).rqSuccess, 0);
});

test("a removed cluster gives its blocks back, and workers are asked once at a time", async () => {
  const harnessed = harness();
  const { counters, stats, heard } = harnessed;
  counters.assign("a", [hostConfig(1)]);
  counters.assign("b", [hostConfig(1)]);
  counters.remove("a");
  counters.sweep();
  counters.remove("b");
  counters.sweep();
  assert.equal(harnessed.pingCount, 1);
  await heard();
  counters.sweep();
  assert.equal(stats.unnamed, 1);
  await heard();
  counters.sweep();
  assert.equal(stats.unnamed, 0);
});
