import assert from "node:assert/strict";
import { test } from "node:test";
import { tailMs } from "../../bench/load/latency.ts";

test("tailMs() reads what the script of the load prints, and takes no failure for a figure", () => {
  assert.equal(tailMs("Requests/sec: 9.1\ntail 1250 us, 0 failed\n"), 1.25);
  assert.throws(() => tailMs("tail 1250 us, 1 failed\n"), /the load failed/);
  assert.throws(() => tailMs("Requests/sec: 9.1\n"), /the load failed/);
});
