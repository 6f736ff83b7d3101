import assert from "node:assert/strict";
import { test } from "node:test";
import { type DrainJson, drainTable } from "../../../src/cli/drains/drains-view.ts";
import { followDrains } from "../../../src/cli/drains/follow.ts";

function drain(id: number, state: string, remaining = 0): DrainJson {
  const connections = { at_start: 4, finished: 1, closed_by_peer: 0, forced: 0, remaining };
  return {
    id,
    cause: "admin",
    listener: "a",
    version: "v1",
    filter_chains: null,
    state,
    started_at: "",
    deadline: "1970-01-01T00:01:00.000Z",
    ended_at: null,
    connections,
  };
}

async function follow(events: readonly (readonly DrainJson[])[], untilDone = true) {
  let text = "";
  const outcome = await followDrains({
    events: (async function* () {
      for (const drains of events) yield { drains };
    })(),
    output: { write: (written: string) => (text += written) },
    untilDone,
    now: () => 0,
  });
  return { outcome, lines: text.split("\n").slice(0, -1) };
}

test("waiting ends with the drains that were there at first, and says each end once", async () => {
  const { outcome, lines } = await follow([
    [drain(1, "draining", 2), drain(2, "draining", 1)],
    [drain(1, "draining", 1), drain(2, "complete"), drain(3, "draining", 1)],
    [drain(1, "complete"), drain(3, "draining", 1)],
    [drain(3, "complete")],
  ]);
  assert.equal(outcome, "done");
  assert.deepEqual(
    lines.map((line) => line.replace(/(left|complete).*/, "$1")),
    [
      "drain 1 of a@v1 (admin): 2 of 4 connections left",
      "drain 2 of a@v1 (admin): 1 of 4 connections left",
      "drain 2 of a@v1 (admin) ended, complete",
      "drain 3 of a@v1 (admin): 1 of 4 connections left",
      "drain 1 of a@v1 (admin) ended, complete",
    ],
  );
});

test("nothing under way is done at once; survivors and a proxy that ends are told apart", async () => {
  assert.equal((await follow([[]])).outcome, "done");
  const survived = await follow([[drain(1, "draining", 2)], [drain(1, "expired", 2)]]);
  assert.equal(survived.outcome, "survivors");
  assert.equal((await follow([[drain(1, "draining", 2)]])).outcome, "gone");
  assert.equal((await follow([[]], false)).outcome, "gone");
});

test("the table counts down", () => {
  assert.deepEqual(drainTable([], 0), ["no drains"]);
  const [, line] = drainTable([drain(12, "draining", 1)], 50_000);
  assert.match(line ?? "", /^12 +a@v1 +admin +draining +10s +█{5}░{15} +1 of 4 +0$/);
});
