import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LiveFrame, liveLines } from "../../../src/cli/drains/live-view.ts";
import { colours, noColours, paletteFor } from "../../../src/cli/palette.ts";
import { truncated } from "../../../src/cli/story/terminal-screen.ts";
import { drainJson } from "../../support/drain-json.ts";

const frame: LiveFrame = { nowMs: 45_000, columns: 80, rows: 24, palette: noColours };
const shop = drainJson({
  id: 7,
  listener: "shop",
  version: "41",
  cause: "lds-replace",
  changed: ["address"],
  connections: {
    at_start: 100,
    notified: 75,
    finished: 40,
    closed_by_peer: 9,
    forced: 1,
    remaining: 50,
  },
});

test("bars of what is left, told and of the time", () => {
  assert.deepEqual(liveLines([shop], frame), [
    "1 under way, 50 left",
    "#7 shop@41  lds-replace, gradual, address",
    "  left ██████████████░░░░░░░░░░░░░░ 50 of 100  40 finished, 9 by peer, 1 cut",
    "  told █████████████████████░░░░░░░ 75 of 100",
    "  time █████████████████████░░░░░░░ 15s left of 1m00s",
  ]);
});

test("on a narrow or a full terminal one line each, and a count of the rest", () => {
  assert.deepEqual(liveLines([shop], { ...frame, columns: 40 }), [
    "1 under way, 50 left",
    "#7 shop@41 ██░░ 50/100 15s left",
  ]);
  const many = Array.from({ length: 30 }, (_, id) =>
    drainJson({ id, connections: { remaining: 1 } }),
  );
  const lines = liveLines(many, { ...frame, rows: 10 });
  assert.equal(lines.length, 9);
  assert.equal(lines.at(-1), "and 23 more");
});

test("a drain beyond its deadline says by how much; nothing drains says so", () => {
  const late = liveLines([drainJson({ connections: { remaining: 1 } })], {
    ...frame,
    nowMs: 90_000,
  });
  assert.match(late[4] ?? "", /^ {2}time █{28} 30s over of 1m00s$/);
  assert.deepEqual(liveLines([], frame), ["nothing drains"]);
});

test("it fits every terminal, whatever there is to show, and draws nothing that was not meant", () => {
  const count = fc.nat(5_000_000_000);
  const drain = fc
    .record({
      id: fc.nat(),
      listener: fc.option(fc.string()),
      version: fc.string(),
      cause: fc.string(),
      deadline: fc.integer({ min: 0, max: 4e12 }).map((ms) => new Date(ms).toISOString()),
      connections: fc.record({ at_start: count, notified: count, remaining: count }),
    })
    .map(drainJson);
  fc.assert(
    fc.property(
      fc.array(drain, { maxLength: 40 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 4, max: 100 }),
      fc.nat(4e12),
      (drains, columns, rows, nowMs) => {
        const lines = liveLines(drains, { nowMs, columns, rows, palette: noColours });
        assert(lines.length < rows, `${lines.length} lines in ${rows} rows`);
        for (const line of lines) {
          assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
          assert(truncated(line, columns).length <= columns);
        }
      },
    ),
  );
});

test("colours are for terminals, and for those who want them", () => {
  assert.equal(paletteFor({ isTTY: true }, {}), colours);
  assert.equal(paletteFor({ isTTY: true }, { NO_COLOR: "1" }), noColours);
  assert.equal(paletteFor({ isTTY: true }, { TERM: "dumb" }), noColours);
  assert.equal(paletteFor({}, {}), noColours);
  const [, , left] = liveLines([shop], { ...frame, palette: colours });
  assert(left?.startsWith("  left \u001B[36m█"), left);
});
