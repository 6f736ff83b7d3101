import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { WatchdogConfig } from "../../../src/control/config/watchdogs.ts";
import {
  fatalSilence,
  lookEveryMs,
  Silence,
  ThreadWatch,
} from "../../../src/control/server/thread-watch.ts";

const config: WatchdogConfig = {
  missMs: 200,
  megaMissMs: 1_000,
  killMs: 0,
  killJitterMs: 0,
  multikillMs: 0,
  multikillPercent: 0,
};

test("each alarm is given once for each silence", () => {
  const silence = new Silence();
  assert.deepEqual(silence.alarmsAt(200, config), []);
  assert.deepEqual(silence.alarmsAt(201, config), ["miss"]);
  assert.deepEqual(silence.alarmsAt(900, config), []);
  assert.deepEqual(silence.alarmsAt(1_001, config), ["megaMiss"]);
  assert.deepEqual(silence.alarmsAt(9_000, config), []);
  silence.end();
  assert.deepEqual(silence.alarmsAt(9_000, config), ["miss", "megaMiss"]);
});

test("silence is counted from the last look that heard something", () => {
  let touches = 0;
  const watch = new ThreadWatch(() => touches, 0);
  assert.equal(watch.look(100), 100);
  touches++;
  assert.equal(watch.look(200), 0);
  assert.equal(watch.look(450), 250);
  assert.deepEqual(watch.alarmsAt(250, config), ["miss"]);
  watch.excuse(200);
  assert.equal(watch.look(500), 100);
});

test("one thread ends the process by kill, several by multikill, which takes two at the least", () => {
  const kill = { ...config, killMs: 5_000 };
  assert.equal(fatalSilence([5_000, 0], kill, 5_000), undefined);
  assert.deepEqual(fatalSilence([0, 5_001], kill, 5_000), {
    threads: [1],
    why: "stuck for more than watchdog_kill_timeout (5000 ms)",
  });
  const many = { ...config, multikillMs: 3_000, multikillPercent: 60 };
  assert.equal(fatalSilence([3_001], many, 0), undefined);
  assert.equal(fatalSilence([3_001, 3_001, 0, 0], many, 0), undefined);
  assert.deepEqual(fatalSilence([3_001, 0, 3_001, 3_002], many, 0)?.threads, [0, 2, 3]);
  assert.deepEqual(fatalSilence([9_000, 9_000, 9_000], config, 0), undefined);
});

test("whatever is configured, it looks at least twice in the shortest silence and is never busy", () => {
  const durations = fc.record({
    missMs: fc.nat(10_000_000),
    megaMissMs: fc.nat(10_000_000),
    killMs: fc.nat(10_000_000),
    multikillMs: fc.nat(10_000_000),
  });
  fc.assert(
    fc.property(durations, (some) => {
      const everyMs = lookEveryMs({ ...config, ...some });
      assert(everyMs >= 10 && everyMs <= 60_000);
      for (const ms of Object.values(some)) assert(ms < 20 || everyMs <= ms / 2);
    }),
  );
});
