import assert from "node:assert/strict";
import { test } from "node:test";
import { findGo } from "../../src/cli/go-control-plane.ts";

test("where there is no Go, nothing is left that would hold the process", async () => {
  const before = timers();
  const { PATH: path } = process.env;
  process.env["PATH"] = "/nonexistent";
  try {
    assert.equal(await findGo(), undefined);
  } finally {
    process.env["PATH"] = path;
  }
  assert.equal(timers(), before);
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}
