import assert from "node:assert/strict";
import { test } from "node:test";
import { completedStreams, receivedBytes } from "../../bench/load/h2load.ts";

const output = `finished in 2.00s, 9.50 req/s, 3.34KB/s
requests: 20 total, 20 started, 19 done, 19 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 19 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 6.68KB (6840) total, 1.07KB (1094) headers (space savings 58.77%), 4.94KB (5061) data
`;

test("what h2load printed is read", () => {
  assert.equal(completedStreams(output), 19);
  assert.equal(receivedBytes(output), 5061);
});

test("a run with a failure is no measurement", () => {
  assert.throws(() => completedStreams(output.replace("0 failed", "1 failed")), /the load failed/);
  assert.throws(() => completedStreams(output.replace("19 2xx", "0 2xx")), /the load failed/);
  assert.throws(() => completedStreams("nothing"), /the load failed/);
});
