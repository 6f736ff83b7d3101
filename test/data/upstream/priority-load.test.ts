import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { shareByPriority } from "../../../src/data/upstream/priority-load.ts";

const health = (total: number, healthy: number, degraded = 0) => ({ total, healthy, degraded });

// The table of Envoy's docs, upstream/load_balancing/priority: percent healthy in P=0 and P=1.
for (const [p0, p1, expected] of [
  [100, 100, [100, 0]],
  [72, 72, [100, 0]],
  [71, 71, [99, 1]],
  [50, 50, [70, 30]],
  [25, 100, [35, 65]],
] as const) {
  test(`shareByPriority() with ${p0} % and ${p1} % healthy gives ${expected.join()}`, () => {
    const shares = shareByPriority([health(100, p0), health(100, p1)], 0);
    const percents = [0, 1].map((priority) =>
      shares.filter((s) => s.priority === priority).reduce((sum, s) => sum + s.percent, 0),
    );
    assert.deepEqual(percents, expected);
  });
}

test("shareByPriority() falls to degraded hosts only for what healthy ones cannot take", () => {
  assert.deepEqual(shareByPriority([health(10, 5, 5)], 50), [
    { priority: 0, hosts: "healthy", percent: 70 },
    { priority: 0, hosts: "degraded", percent: 30 },
  ]);
});

test("shareByPriority() panics below the threshold and uses every host", () => {
  assert.deepEqual(shareByPriority([health(10, 4)], 50), [
    { priority: 0, hosts: "all", percent: 100 },
  ]);
  assert.deepEqual(shareByPriority([health(10, 0)], 50), [
    { priority: 0, hosts: "all", percent: 100 },
  ]);
});

test("shareByPriority() gives nothing when nothing is healthy and panic is off", () => {
  assert.deepEqual(shareByPriority([health(10, 0)], 0), []);
  assert.deepEqual(shareByPriority([health(0, 0)], 50), []);
});

test("shareByPriority() sums to 100 and names only priorities that have such hosts", () => {
  const anyHealth = fc
    .tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }), fc.nat({ max: 20 }))
    .map(([healthy, degraded, rest]) => health(healthy + degraded + rest, healthy, degraded));
  const anyPriorities = fc.array(anyHealth, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(anyPriorities, fc.nat({ max: 100 }), (priorities, threshold) => {
      const shares = shareByPriority(priorities, threshold);
      const total = shares.reduce((sum, share) => sum + share.percent, 0);
      assert(shares.length === 0 || Math.abs(total - 100) < 1e-9, `${total}`);
      for (const share of shares) {
        const of = priorities[share.priority];
        assert(of && share.percent > 0);
        const count = { healthy: of.healthy, degraded: of.degraded, all: of.total }[share.hosts];
        assert(count > 0, JSON.stringify({ priorities, shares }));
      }
    }),
  );
});
