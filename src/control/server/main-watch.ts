/**
 * Entry of a thread that does nothing but watch the main thread, where `main_thread_watchdog` has a `kill_timeout`:
 * a main thread that never comes back cannot end the process itself. It dies as Envoy does, by SIGABRT, so that a
 * core can be had of what it hangs in.
 */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { systemClock } from "../../shared/common/clock.ts";
import { touchPlace } from "../../shared/protocol/pulse.ts";
import type { WatchdogConfig } from "../config/watchdogs.ts";
import { fatalSilence, lookEveryMs, ThreadWatch } from "./thread-watch.ts";

export interface MainWatchData {
  readonly limits: SharedArrayBuffer;
  readonly config: WatchdogConfig;
  /** `kill_timeout`, its jitter drawn. */
  readonly killMs: number;
}

const { limits, config, killMs } = workerData as MainWatchData;
const everyMs = lookEveryMs(config);
const values = new Int32Array(limits);
let lookedMs = systemClock.now();
const watch = new ThreadWatch(() => Atomics.load(values, touchPlace(undefined)), lookedMs);

function look(): void {
  const nowMs = systemClock.now();
  watch.excuse(Math.max(0, nowMs - lookedMs - 2 * everyMs));
  lookedMs = nowMs;
  const fatal = fatalSilence([watch.look(nowMs)], config, killMs);
  if (fatal) abort(fatal.why);
  systemClock.startTimer(everyMs, look);
}

/** The log belongs to the thread that hangs. */
function abort(why: string): void {
  writeSync(2, `GuardDog: main thread ${why}\n`);
  process.kill(process.pid, "SIGABRT");
}

systemClock.startTimer(everyMs, look);
