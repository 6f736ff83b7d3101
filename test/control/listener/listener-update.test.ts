import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ListenerComparison,
  planUpdate,
  removedFilterChains,
} from "../../../src/control/listener/listener-update.ts";
import { type ListenerSketch, decodedListener } from "../../support/config-builders.ts";

const sketch: fc.Arbitrary<ListenerSketch> = fc.record({
  name: fc.constant("a"),
  address: fc.constantFrom("127.0.0.1:1", "127.0.0.1:2"),
  chains: fc.uniqueArray(fc.constantFrom("x", "y", "z"), { minLength: 1 }),
  revision: fc.constantFrom("1", "2"),
  spelling: fc.constantFrom("1", "2"),
});

const comparison: ListenerComparison = {
  equivalent: (a, b) => JSON.stringify(a.config) === JSON.stringify(b.config),
  isFilterChainOnlyChange: (a, b) =>
    JSON.stringify(a.config.addresses) === JSON.stringify(b.config.addresses),
  changedFields: () => ["field"],
  isLivePath: () => false,
};

test("planUpdate() drains only for a change of meaning, in place only over an active listener", () => {
  const maybe = fc.option(sketch, { nil: undefined });
  fc.assert(
    fc.property(sketch, maybe, maybe, (nextSketch, activeSketch, warmingSketch) => {
      const next = decodedListener(nextSketch);
      const active = activeSketch && decodedListener(activeSketch);
      const warming = warmingSketch && decodedListener(warmingSketch);
      const plan = planUpdate({ next, active, warming }, comparison);
      const current = warming ?? active;
      assert.equal(plan.kind === "new", current === undefined);
      if (plan.kind === "live" || plan.kind === "inPlace" || plan.kind === "full") {
        assert(current && !comparison.equivalent(current, next));
        assert(!active || !comparison.equivalent(active, next) || !warming);
      }
      if (plan.kind === "inPlace" || plan.kind === "live") {
        assert(active && comparison.isFilterChainOnlyChange(active, next));
        const gone = removedFilterChains(active.config, next.config);
        const come = removedFilterChains(next.config, active.config);
        assert.equal(plan.kind === "live", gone.length + come.length === 0);
      }
      if (plan.kind === "revert") assert(active && warming && comparison.equivalent(active, next));
      if (plan.kind === "unchanged") assert.equal(current?.hash, next.hash);
    }),
  );
});

test("removedFilterChains() is the difference by id, the default chain included", () => {
  const { config } = decodedListener({ name: "a", chains: ["x", "y", "z"] });
  const [x, y, z] = config.filterChains;
  assert(x && y && z);
  const old = { ...config, filterChains: [x, y], defaultFilterChain: z };
  const ids = (next: typeof old): readonly string[] =>
    removedFilterChains(old, next).map((chain) => chain.id);
  assert.deepEqual(ids(old), []);
  assert.deepEqual(ids({ ...old, filterChains: [y] }), ["x"]);
  assert.deepEqual(ids({ ...old, defaultFilterChain: x }), ["z"]);
});
