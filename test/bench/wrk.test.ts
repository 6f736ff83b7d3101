import assert from "node:assert/strict";
import { test } from "node:test";
import { completedRequests } from "../../bench/load/wrk.ts";

const clean = `Running 2s test @ http://127.0.0.1:1/small
  1 threads and 64 connections
  81234 requests in 2.00s, 21.4MB read
Requests/sec:  40600.11
`;

test("completedRequests() counts what wrk completed", () => {
  assert.equal(completedRequests(clean), 81_234);
});

test("completedRequests() refuses a run in which anything failed", () => {
  const errors = `${clean}  Socket errors: connect 0, read 3, write 0, timeout 0\n`;
  assert.throws(() => completedRequests(errors), /Socket errors: connect 0, read 3/);
  const refused = `${clean}  Non-2xx or 3xx responses: 12\n`;
  assert.throws(() => completedRequests(refused), /Non-2xx or 3xx responses: 12/);
  assert.throws(() => completedRequests("  0 requests in 2.00s"), /no request/);
});
