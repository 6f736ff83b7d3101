import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrainJson } from "../../../src/cli/drains/drain-json.ts";
import { type FollowOptions, followDrains } from "../../../src/cli/drains/follow.ts";
import { noColours } from "../../../src/cli/palette.ts";
import { drainJson } from "../../support/drain-json.ts";

function drain(id: number, state: string, remaining = 0): DrainJson {
  return drainJson({ id, state, connections: { remaining } });
}

async function follow(
  events: readonly (readonly DrainJson[])[],
  options: Partial<FollowOptions> = {},
) {
  let text = "";
  const outcome = await followDrains({
    events: (async function* () {
      for (const drains of events) yield { drains };
    })(),
    output: { write: (written: string) => (text += written), ...options.output },
    palette: noColours,
    json: false,
    id: undefined,
    untilDone: true,
    now: () => 0,
    ...options,
  });
  return { outcome, text, lines: text.split("\n").slice(0, -1) };
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
  const begun = [drain(1, "draining", 2)];
  assert.equal((await follow([[]])).outcome, "done");
  assert.equal((await follow([begun, [drain(1, "expired", 2)]])).outcome, "survivors");
  assert.equal((await follow([begun, [drain(1, "cancelled", 2)]])).outcome, "survivors");
  const cut = drainJson({ state: "forced", connections: { forced: 2 } });
  assert.equal((await follow([begun, [cut]])).outcome, "survivors");
  assert.equal((await follow([begun, [drain(1, "complete")]])).outcome, "done");
  assert.equal((await follow([begun])).outcome, "gone");
  assert.equal((await follow([[]], { untilDone: false })).outcome, "gone");
});

test("of one drain nothing else is said or waited for", async () => {
  const { outcome, lines } = await follow(
    [
      [drain(1, "draining", 2), drain(2, "draining", 1)],
      [drain(1, "draining", 2), drain(2, "complete")],
    ],
    { id: 2 },
  );
  assert.equal(outcome, "done");
  assert(lines.length === 2 && lines.every((line) => line.startsWith("drain 2 ")));
});

test("as JSON each change is one line", async () => {
  const { lines } = await follow([[drain(1, "draining", 2)], [drain(1, "complete")]], {
    json: true,
  });
  const states = lines.map(
    (line) => (JSON.parse(line) as { drains: DrainJson[] }).drains[0]?.state,
  );
  assert.deepEqual(states, ["draining", "complete"]);
});

test("at a terminal the picture is redrawn in place, and an end stays above it", async () => {
  let text = "";
  const output = {
    isTTY: true,
    columns: 60,
    rows: 20,
    write: (written: string) => (text += written),
  };
  await follow([[drain(1, "draining", 2)], [drain(1, "complete")]], { output });
  assert.match(text, /1 under way, 2 left\n#1 a@v1/);
  // Up over what was drawn, and all of it erased, before the line that stays.
  assert(text.includes("\u001B[5A\r\u001B[Jdrain 1 of a@v1 (admin) ended, complete"), text);
  assert(text.endsWith("\u001B[?25h"), "the cursor is back");
});
