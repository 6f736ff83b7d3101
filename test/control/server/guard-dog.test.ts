import assert from "node:assert/strict";
import { test } from "node:test";
import type { WatchdogConfig } from "../../../src/control/config/watchdogs.ts";
import { GuardDog, stuckMsDefault } from "../../../src/control/server/guard-dog.ts";
import { touchPlace } from "../../../src/shared/protocol/pulse.ts";
import { createSlab, StatSlab } from "../../../src/shared/stats/slab.ts";
import { StatStore } from "../../../src/shared/stats/stat-store.ts";
import { seededRandom } from "../../../src/shared/common/seeded-random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const config: WatchdogConfig = {
  missMs: 200,
  megaMissMs: 1_000,
  killMs: 0,
  killJitterMs: 0,
  multikillMs: 0,
  multikillPercent: 0,
};

/** Two workers; those in `alive` show that they live every 50 ms. */
function watched(workers: Partial<WatchdogConfig> = {}) {
  const clock = new VirtualClock();
  const main = createSlab();
  const store = new StatStore([main]);
  const touches = new Map([0, 1].map((worker) => [touchPlace(worker), 0]));
  const alive = new Set([0, 1]);
  const beat = (): void => {
    for (const worker of alive)
      touches.set(touchPlace(worker), (touches.get(touchPlace(worker)) ?? 0) + 1);
    clock.startTimer(50, beat);
  };
  beat();
  const stuck: [worker: number, why: string][] = [];
  const dog = new GuardDog({
    configs: { main: config, workers: { ...config, ...workers } },
    concurrency: 2,
    limits: { read: (place) => touches.get(place) ?? 0 },
    stats: { allocator: store, slab: new StatSlab(main) },
    clock,
    random: seededRandom(1),
    onStuck: (worker, why) => stuck.push([worker, why]),
  });
  dog.start();
  const count = (name: string): number | undefined =>
    store.snapshot().counters.find((each) => each.name === name)?.value;
  return { clock, alive, stuck, dog, count };
}

test("silences are counted for the thread and for all, a miss and a mega miss once each", async () => {
  const { clock, alive, stuck, count } = watched();
  await clock.advance(5_000);
  assert.equal(count("workers.watchdog_miss"), 0);
  alive.delete(1);
  await clock.advance(5_000);
  alive.add(1);
  await clock.advance(5_000);
  alive.delete(1);
  await clock.advance(500);
  assert.equal(count("server.worker_1.watchdog_miss"), 2);
  assert.equal(count("server.worker_1.watchdog_mega_miss"), 1);
  assert.equal(count("server.worker_0.watchdog_miss"), 0);
  assert.equal(count("workers.watchdog_miss"), 2);
  assert.equal(count("workers.watchdog_mega_miss"), 1);
  assert.equal(count("main_thread.watchdog_miss"), 0);
  assert.deepEqual(stuck, []);
});

test("a worker is given up by kill_timeout, once; without one after half a minute", async () => {
  const short = watched({ killMs: 2_000 });
  short.alive.delete(0);
  await short.clock.advance(1_900);
  assert.deepEqual(short.stuck, []);
  await short.clock.advance(10_000);
  assert.deepEqual(short.stuck, [[0, "stuck for more than watchdog_kill_timeout (2000 ms)"]]);
  const long = watched();
  long.alive.delete(0);
  await long.clock.advance(stuckMsDefault - 200);
  assert.deepEqual(long.stuck, []);
  await long.clock.advance(500);
  assert.equal(long.stuck.length, 1);
});

test("who was lost is watched no more, and nothing after it was disposed", async () => {
  const { clock, alive, dog, stuck, count } = watched({ killMs: 2_000 });
  dog.forget(1);
  alive.delete(1);
  await clock.advance(5_000);
  assert.equal(count("workers.watchdog_miss"), 0);
  alive.delete(0);
  dog[Symbol.dispose]();
  await clock.advance(5_000);
  assert.deepEqual(stuck, []);
});

test("a process that was stopped as a whole blames main, and gives no worker up", async () => {
  const { clock, stuck, count } = watched({ killMs: 2_000 });
  await clock.advance(1_000);
  clock.jump(60_000);
  await clock.advance(500);
  assert.deepEqual(stuck, []);
  assert.equal(count("main_thread.watchdog_miss"), 1);
  assert.equal(count("server.main_thread.watchdog_mega_miss"), 1);
});
