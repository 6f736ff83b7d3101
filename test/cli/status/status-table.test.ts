import assert from "node:assert/strict";
import { test } from "node:test";
import { ageText } from "../../../src/cli/age.ts";
import { type StatusJson, statusLines } from "../../../src/cli/status/status-table.ts";

const row = (overrides: Partial<StatusJson["resources"][number]>) => ({
  type: "LDS",
  name: "a",
  version: "v1",
  source: "ads",
  answer: "acked",
  state: "active",
  since: new Date(0).toISOString(),
  awaiting: [],
  reason: null,
  ...overrides,
});

test("columns are aligned, reasons and what it waits for come last", () => {
  const lines = statusLines(
    {
      control_planes: [],
      resources: [
        row({}),
        row({ name: "a-long-name", state: "warming", awaiting: ["rds r", "workers"] }),
        row({ version: "v2", answer: "nacked", state: "nacked", reason: "no\u001B[2J\nway" }),
        row({ version: "", source: "bootstrap", answer: null, since: null }),
      ],
    },
    65_000,
  );
  assert.deepEqual(lines, [
    "TYPE  NAME         VERSION  ANSWER     STATE    SINCE  WHY",
    "LDS   a            v1       ACKed      active   1m05s",
    "LDS   a-long-name  v1       ACKed      warming  1m05s  waits for rds r, workers",
    "LDS   a            v2       NACKed     NACKed   1m05s  no [2J way",
    "LDS   a            -        bootstrap  active   -",
    "",
    "2 active, 1 warming, 1 nacked",
  ]);
});

test("each control plane says where its stream and its types stand", () => {
  const types = [
    { type: "LDS", version: "v1", nack: { version: "v2" } },
    { type: "CDS", version: "", nack: null },
  ];
  const plane = { server: "xds 1.2.3.4:5", identifier: "cp", stream: "backingOff", reason: "gone" };
  const lines = statusLines({ control_planes: [{ ...plane, types }], resources: [] }, 0);
  assert.deepEqual(lines.slice(0, 3), [
    "xds 1.2.3.4:5 (cp): backingOff, gone",
    "  accepted: LDS v1, NACKed v2; CDS -",
    "",
  ]);
  assert.equal(lines.at(-1), "no resources");
});

test("ages have two units, and none is negative", () => {
  const table: readonly (readonly [number, string])[] = [
    [-5, "0s"],
    [59_999, "59s"],
    [60_000, "1m00s"],
    [3_600_000 * 3 + 60_000 * 5, "3h05m"],
    [86_400_000 * 12, "12d00h"],
  ];
  for (const [ms, text] of table) assert.equal(ageText(ms), text);
});
