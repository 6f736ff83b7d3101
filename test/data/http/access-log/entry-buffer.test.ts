import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EntryBudget,
  EntryBuffer,
  entryBytesMax,
} from "../../../../src/data/http/access-log/entry-buffer.ts";
import type { GrpcLogConfig } from "../../../../src/shared/config/access-log-config.ts";
import type { AccessLogBatch } from "../../../../src/shared/protocol/access-log-entry.ts";
import { logEntry } from "../../../support/access-log-entries.ts";
import { VirtualClock } from "../../../support/virtual-clock.ts";

function harness(settings: Partial<GrpcLogConfig> = {}) {
  const clock = new VirtualClock();
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const batches: AccessLogBatch[] = [];
  const config: GrpcLogConfig = {
    kind: "grpc",
    destination: "d",
    flushIntervalMs: 1_000,
    flushMinBytes: 1_000,
    entryKind: "http",
    requestHeaders: [],
    responseHeaders: [],
    responseTrailers: [],
    filter: undefined,
    ...settings,
  };
  const budget = new EntryBudget(counters, 1);
  const handOver = (batch: AccessLogBatch) => void batches.push(batch);
  const buffer = new EntryBuffer(config, { clock, budget, handOver });
  return {
    clock,
    buffer,
    counters,
    log: (bytes: number, count = 1) => {
      for (let i = 0; i < count; i++) buffer.append(logEntry(), bytes);
    },
    /** Entries, bytes and drops of each batch since the last call. */
    taken: () =>
      batches.splice(0).map(({ entries, bytes, dropped }) => [entries.length, bytes, dropped]),
  };
}

test("entries are handed over after the interval, or at once from a size on", async () => {
  const { clock, log, taken } = harness();
  log(100, 2);
  await clock.advance(999);
  assert.deepEqual(taken(), []);
  await clock.advance(1);
  assert.deepEqual(taken(), [[2, 200, 0]]);
  log(400, 3);
  assert.deepEqual(taken(), [[3, 1_200, 0]]);
  await clock.advance(2_000);
  assert.deepEqual(taken(), []);
  assert.equal(clock.pendingCount, 0);
});

test("without buffering each entry is handed over at once", () => {
  const { log, taken } = harness({ flushMinBytes: 0 });
  log(100, 2);
  assert.deepEqual(taken(), [
    [1, 100, 0],
    [1, 100, 0],
  ]);
});

test("what main has not taken is bounded, and what finds no room is counted", async () => {
  const { clock, log, taken, counters } = harness();
  const share = entryBytesMax / 4;
  log(share, 5);
  await clock.advance(1_000);
  assert.deepEqual(taken(), [
    [1, share, 0],
    [1, share, 0],
    [1, share, 0],
    [1, share, 0],
    [0, 0, 1],
  ]);
  assert.deepEqual([...counters], [0, entryBytesMax]);
  Atomics.sub(counters, 1, share);
  log(share);
  assert.deepEqual(taken(), [[1, share, 0]]);
});

test("its end hands over what is left", () => {
  const { buffer, log, taken, clock } = harness();
  log(10);
  buffer[Symbol.dispose]();
  assert.deepEqual(taken(), [[1, 10, 0]]);
  assert.equal(clock.pendingCount, 0);
});
