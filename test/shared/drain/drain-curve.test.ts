import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the curve in the docs is the one that the decision draws", () => {
  const drawn = spawnSync(process.execPath, ["scripts/drain-curve.mjs", "--print"], {
    encoding: "utf8",
  });
  assert.equal(drawn.status, 0, drawn.stderr);
  const kept = readFileSync("docs/drain-curve.svg", "utf8");
  assert(kept === drawn.stdout, "run node scripts/drain-curve.mjs");
});
