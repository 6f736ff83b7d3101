import assert from "node:assert/strict";
import { test } from "node:test";
import { OnDemandWaits, waitingMax } from "../../../src/data/connection-handler/on-demand-waits.ts";
import type { OnDemandWant } from "../../../src/shared/protocol/on-demand.ts";

function sketch() {
  const told: string[] = [];
  const counts = { overflow: 0, waiting: 0 };
  const waits = new OnDemandWaits({
    post: (event) => told.push(event.kind),
    countOverflow: () => counts.overflow++,
    setWaiting: (count) => (counts.waiting = count),
  });
  return { told, counts, waits };
}

const want = (scope: string): OnDemandWant => ({ kind: "scope", scopes: "s", scope });

test("what many want is asked for once, and given up with the last of them", () => {
  const { told, counts, waits } = sketch();
  const [first, second] = [{ onAnswered: () => {} }, { onAnswered: () => {} }];
  waits.wait(want("a"), first);
  waits.wait(want("a"), second);
  assert.deepEqual(told, ["wanted"]);
  waits.forget(want("a"), first);
  waits.forget(want("a"), first);
  assert.deepEqual([told, counts.waiting], [["wanted"], 1]);
  waits.forget(want("a"), second);
  assert.deepEqual([told, counts.waiting], [["wanted", "unwanted"], 0]);
});

test("an answer ends all waits for the thing, who then may wait for the next", () => {
  const { told, counts, waits } = sketch();
  const waiter = { onAnswered: () => void waits.wait(want("b"), waiter) };
  waits.wait(want("a"), waiter);
  waits.answered(want("a"), "answered");
  assert.deepEqual([told, counts.waiting], [["wanted", "wanted"], 1]);
  waits.answered(want("a"), "answered");
  assert.equal(counts.waiting, 1);
});

test("beyond the bound nobody waits, and it is counted", () => {
  const { counts, waits } = sketch();
  for (let i = 0; i < waitingMax; i++)
    assert(waits.wait(want(String(i)), { onAnswered: () => {} }));
  assert.equal(waits.wait(want("one more"), { onAnswered: () => {} }), false);
  assert.deepEqual(counts, { overflow: 1, waiting: waitingMax });
});
