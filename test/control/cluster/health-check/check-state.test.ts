import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type CheckOutcome,
  type CheckState,
  type Transition,
  afterCheck,
  newCheckState,
} from "../../../../src/control/cluster/health-check/check-state.ts";
import { nextCheckMs } from "../../../../src/control/cluster/health-check/check-interval.ts";
import { CheckSlots, checksMax } from "../../../../src/control/cluster/health-check/check-slots.ts";
import { containsInOrder } from "../../../../src/control/cluster/health-check/expected-bytes.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const ok: CheckOutcome = { kind: "success", isDegraded: false };
const degraded: CheckOutcome = { kind: "success", isDegraded: true };
const failure = (
  cause: "answer" | "network" | "timeout",
  rest: { isRetriable?: boolean; isImmediate?: boolean } = {},
): CheckOutcome => ({ kind: "failure", cause, reason: "", ...rest });
const bad = failure("answer");
const silent = failure("timeout");

/** Every transition of a host that begins anew, and where it ends. */
function play(
  outcomes: readonly CheckOutcome[],
  { thresholds = { unhealthy: 2, healthy: 2 }, isPending = false } = {},
): { readonly state: CheckState; readonly transitions: readonly Transition[] } {
  let state = newCheckState(isPending);
  const transitions = outcomes.map((outcome) => {
    const step = afterCheck(state, outcome, thresholds);
    state = step.state;
    return step.transition;
  });
  return { state, transitions };
}

test("the first good check is enough; after a failure the threshold counts", () => {
  assert.equal(play([ok]).state.isFailed, false);
  assert.deepEqual(play([ok, bad, ok, ok]).transitions, [
    "changed",
    "changed",
    "pending",
    "changed",
  ]);
  assert.equal(play([ok, bad, ok, bad, ok]).state.isFailed, true, "not two in a row");
});

test("a bad answer fails a host at once, silence and retriable statuses by the threshold", () => {
  assert.equal(play([ok, bad]).state.isFailed, true);
  for (const counted of [failure("network"), silent, failure("answer", { isRetriable: true })]) {
    assert.deepEqual(play([ok, counted]).transitions, ["changed", "pending"]);
    assert.equal(play([ok, counted]).state.isFailed, false);
    assert.equal(play([ok, counted, ok, counted]).state.isFailed, false, "not two in a row");
    assert.equal(play([ok, counted, counted]).state.isFailed, true);
  }
});

test("a host that never passed stays failed, and says whether it was silent last", () => {
  assert.deepEqual(play([bad, bad]).transitions, ["unchanged", "unchanged"]);
  assert.equal(play([silent]).state.isTimedOut, true);
  assert.equal(play([silent, bad]).state.isTimedOut, false);
  assert.equal(play([ok, silent, silent, ok]).state.isTimedOut, true, "until it is well again");
  assert.equal(play([ok, silent, silent, ok, ok]).state.isTimedOut, false);
});

test("degraded, excluded and pending hosts are told of when they change", () => {
  assert.deepEqual(play([ok, degraded, degraded, ok]).transitions, [
    "changed",
    "changed",
    "unchanged",
    "changed",
  ]);
  const excluded = play([ok, failure("answer", { isImmediate: true })]);
  assert.equal(excluded.state.isExcluded, true);
  assert.equal(
    play([failure("answer", { isImmediate: true }), ok, ok]).state.isExcluded,
    false,
    "it passes again",
  );
  const pending = play([bad], { isPending: true });
  assert.deepEqual([pending.state.isPending, pending.transitions], [false, ["changed"]]);
});

test("whatever comes: flags agree with each other, and changes with flags", () => {
  const outcomes = fc.array(
    fc.constantFrom(
      ok,
      degraded,
      bad,
      silent,
      failure("network"),
      failure("answer", { isRetriable: true }),
    ),
    { maxLength: 40 },
  );
  const threshold = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(outcomes, threshold, threshold, (played, unhealthy, healthy) => {
      let state = newCheckState(false);
      for (const outcome of played) {
        const { state: next, transition } = afterCheck(state, outcome, { unhealthy, healthy });
        if (next.isFailed !== state.isFailed) assert.equal(transition, "changed");
        if (transition === "pending") assert.equal(next.isFailed, state.isFailed);
        if (next.isTimedOut) assert(next.isFailed);
        assert(next.failures <= unhealthy && next.successes <= Math.max(healthy, played.length));
        state = next;
      }
      // Enough of one kind in a row decides, whatever was before.
      for (let i = 0; i < healthy; i++) state = afterCheck(state, ok, { unhealthy, healthy }).state;
      assert.equal(state.isFailed, false);
      for (let i = 0; i < unhealthy; i++)
        state = afterCheck(state, silent, { unhealthy, healthy }).state;
      assert.equal(state.isFailed, true);
    }),
  );
});

test("the next check is due after the interval of what happened, with jitter", () => {
  const intervals = {
    intervalMs: 1_000,
    unhealthyMs: 2_000,
    unhealthyEdgeMs: 3_000,
    healthyEdgeMs: 4_000,
    noTrafficMs: 5_000,
    noTrafficHealthyMs: 6_000,
    initialJitterMs: 0,
    jitterMs: 0,
    jitterPercent: 0,
  };
  const due = (isSuccess: boolean, transition: Transition, hasTraffic = true) =>
    nextCheckMs(intervals, { isSuccess, transition, hasTraffic }, seededRandom(1));
  assert.equal(due(true, "unchanged"), 1_000);
  assert.equal(due(true, "pending"), 4_000);
  assert.equal(due(false, "changed"), 2_000);
  assert.equal(due(false, "pending"), 3_000);
  assert.equal(due(true, "unchanged", false), 6_000);
  assert.equal(due(true, "pending", false), 5_000);
  assert.equal(due(false, "unchanged", false), 5_000);
  const last = { isSuccess: true, transition: "unchanged", hasTraffic: true } as const;
  const random = seededRandom(1);
  for (let i = 0; i < 100; i++) {
    const ms = nextCheckMs({ ...intervals, jitterMs: 100, jitterPercent: 50 }, last, random);
    assert(ms >= 1_000 && ms < 1_600, String(ms));
  }
  assert.equal(nextCheckMs({ ...intervals, intervalMs: 0 }, last, random), 1, "never at once");
});

test("checks beyond the limit wait for one that ends, and may give up", () => {
  let waits = 0;
  const slots = new CheckSlots(() => waits++);
  const begun: number[] = [];
  const turns = Array.from({ length: checksMax + 3 }, (_, i) => slots.take(() => begun.push(i)));
  assert.deepEqual([begun.length, waits], [checksMax, 3]);
  turns[checksMax]?.[Symbol.dispose]();
  turns[0]?.[Symbol.dispose]();
  assert.equal(begun.at(-1), checksMax + 1, "the one that gave up is passed over");
  turns[0]?.[Symbol.dispose]();
  assert.equal(begun.length, checksMax + 1, "a turn is given back once");
});

test("expected bytes come in order, with anything between them", () => {
  const has = (text: string, ...parts: readonly string[]) =>
    containsInOrder(
      Buffer.from(text),
      parts.map((part) => Buffer.from(part)),
    );
  assert.equal(has("anything"), true);
  assert.equal(has("--a--b", "a", "b"), true);
  assert.equal(has("--b--a", "a", "b"), false);
  assert.equal(has("aa", "aa", "a"), false, "no byte counts twice");
});
