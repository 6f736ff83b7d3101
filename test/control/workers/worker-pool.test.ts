import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerPool } from "../../../src/control/workers/worker-pool.ts";
import { FakeWorker } from "../../support/fake-worker.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";
import { noOverloadSlots } from "../../../src/shared/protocol/overload.ts";

function startPool(concurrency: number, delayMs: () => number = () => 0) {
  const clock = new VirtualClock();
  const workers: FakeWorker[] = [];
  const pool = new WorkerPool({
    concurrency,
    spawn: (init, handler) => {
      const worker = new FakeWorker(init, handler, clock, delayMs);
      workers.push(worker);
      return worker;
    },
    init: () => ({
      reactor: "epoll",
      slab: new SharedArrayBuffer(8),
      limits: new SharedArrayBuffer(8),
      logLevels: new SharedArrayBuffer(8),
      slots: { sluice: 0, dispatcher: undefined, overload: noOverloadSlots },
      pulseMs: 50,
      arenaBytesMax: 1,
      fileFlushIntervalMs: 1,
      fileFlushMinBytes: 1,
      accessLogBytes: 0,
      httpFilterFiles: [],
    }),
  });
  return { clock, workers, pool };
}

test("every pair of workers shares one channel", async () => {
  const { workers, pool } = startPool(3);
  await pool.ready;
  for (const [index, { init }] of workers.entries()) {
    assert.equal(init.index, index);
    assert.equal(init.concurrency, 3);
    assert.deepEqual(
      init.peers.map((port) => port !== undefined),
      [0, 1, 2].map((other) => other !== index),
    );
    for (const port of init.peers) port?.close();
  }
});

test("broadcast() resolves when the slowest worker has answered", async () => {
  let delayMs = 0;
  const { clock, pool } = startPool(2, () => (delayMs += 10));
  await clock.advance(100);
  await pool.ready;
  let isDone = false;
  const done = pool.broadcast((reply) => ({ kind: "ping", reply })).then(() => (isDone = true));
  await clock.advance(30);
  assert.equal(isDone, false);
  await clock.advance(1_000);
  await done;
});

test("a worker that dies lets go of who waits for it, and is an event", async () => {
  const { clock, pool, workers } = startPool(2, () => 1);
  await clock.advance(10);
  const exits: unknown[] = [];
  using _ = pool.subscribe({ onExit: (...exit) => void exits.push(exit) });
  const done = pool.request(1, (reply) => ({ kind: "ping", reply }));
  workers[1]?.exit("out of memory");
  await done;
  await pool.request(1, (reply) => ({ kind: "ping", reply }));
  assert.deepEqual(exits, [[1, "out of memory", false]]);
});

test("shutdown() is an expected exit of all", async () => {
  const { pool } = startPool(2);
  await pool.ready;
  const expected: boolean[] = [];
  using _ = pool.subscribe({
    onExit: (_worker, _reason, isExpected) => void expected.push(isExpected),
  });
  pool.shutdown();
  await pool.exited;
  assert.deepEqual(expected, [true, true]);
});

test("ready rejects when a worker exits before it can take commands", async () => {
  const { pool, workers } = startPool(2, () => 5);
  workers[0]?.exit("no epoll here");
  await assert.rejects(pool.ready, /worker 0 exited before it was ready: no epoll here/);
});
