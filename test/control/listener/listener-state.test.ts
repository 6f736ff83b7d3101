import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ListenerEvent,
  type ListenerState,
  nextState,
} from "../../../src/control/listener/listener-state.ts";

const rank = { warming: 0, active: 1, draining: 2, removed: 3 } as const;

const anyEvent: fc.Arbitrary<ListenerEvent> = fc.oneof(
  fc.record({
    kind: fc.constant("targetReady" as const),
    target: fc.constantFrom("rds r", "workers", "other"),
  }),
  fc.record({ kind: fc.constantFrom("activated" as const, "dropped" as const) }),
  fc.record({ kind: fc.constantFrom("superseded" as const, "drained" as const) }),
  fc.record({ kind: fc.constant("retired" as const), deadlineMs: fc.nat() }),
);

test("nextState() never moves a listener backwards, and only drains what was active", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), (events) => {
      let state: ListenerState = { kind: "warming", awaiting: new Set(["rds r", "workers"]) };
      for (const event of events) {
        const next: ListenerState = nextState(state, event) ?? state;
        assert(rank[next.kind] >= rank[state.kind]);
        if (next.kind === "draining") assert(state.kind === "active" || state === next);
        if (next.kind === "active" && state.kind === "warming") {
          assert.equal(state.awaiting.size, 0);
        }
        state = next;
      }
    }),
  );
});

test("nextState() has an answer for each way out of each state, and for no other", () => {
  const warm: ListenerState = { kind: "warming", awaiting: new Set() };
  const cold: ListenerState = { kind: "warming", awaiting: new Set(["rds r"]) };
  assert.deepEqual(nextState(cold, { kind: "targetReady", target: "rds r" }), warm);
  assert.equal(nextState(cold, { kind: "activated" }), undefined);
  assert.deepEqual(nextState(warm, { kind: "activated" }), { kind: "active" });
  assert.deepEqual(nextState(cold, { kind: "dropped" }), { kind: "removed" });
  assert.deepEqual(nextState({ kind: "active" }, { kind: "superseded" }), { kind: "removed" });
  assert.equal(nextState({ kind: "active" }, { kind: "drained" }), undefined);
  assert.equal(nextState({ kind: "removed" }, { kind: "drained" }), undefined);
});
