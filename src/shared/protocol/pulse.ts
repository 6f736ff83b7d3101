/**
 * A thread's sign of life: a number in shared memory that a timer of its own loop moves, so that it stands still
 * when the loop does (Envoy: `WatchDogImpl`, touched by a timer of the dispatcher). Nothing of it is in the way of a
 * request. With `enable_dispatcher_stats` the same timer looks at what its loop did meanwhile.
 */
import type { Clock } from "../common/clock.ts";
import { LoopMeter } from "../common/loop-meter.ts";
import type { StatSlab } from "../stats/slab.ts";
import type { StatBlock } from "../stats/stat-group.ts";
import { dispatcherStats } from "../stats/stat-names.ts";
import { limitLayout } from "./worker-init.ts";

export interface PulseParts {
  readonly clock: Clock;
  readonly limits: Int32Array;
  /** The worker's index; undefined: the main thread. */
  readonly worker: number | undefined;
  readonly everyMs: number;
  readonly slab: StatSlab;
  /** `dispatcher.` of the thread; undefined: not measured. */
  readonly dispatcher: StatBlock | undefined;
}

const loopDuration = dispatcherStats.offset("loop_duration_us");
const pollDelay = dispatcherStats.offset("poll_delay_us");

/** Where the thread's sign of life is in the shared limits. */
export function touchPlace(worker: number | undefined): number {
  return limitLayout.touches + (worker ?? limitLayout.workersMax);
}

/** Beats until it is disposed. */
export class Pulse implements Disposable {
  readonly #parts: PulseParts;
  readonly #place: number;
  readonly #meter: LoopMeter | undefined;
  #dueMs = 0;
  #timer: Disposable | undefined;

  constructor(parts: PulseParts) {
    this.#parts = parts;
    this.#place = touchPlace(parts.worker);
    this.#meter = parts.dispatcher === undefined ? undefined : new LoopMeter();
    this.#beat();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #beat(): void {
    const { clock, limits, everyMs } = this.#parts;
    Atomics.add(limits, this.#place, 1);
    if (this.#timer) this.#measure(clock.now() - this.#dueMs);
    this.#dueMs = clock.now() + everyMs;
    this.#timer = clock.startTimer(everyMs, () => this.#beat());
  }

  /** Loops are counted one by one, each with the mean of those between two beats: libuv tells the sum alone. */
  #measure(lateMs: number): void {
    const { slab, dispatcher } = this.#parts;
    if (!this.#meter || dispatcher === undefined) return;
    const { loops, busyMs } = this.#meter.read();
    slab.record(dispatcher, pollDelay, Math.max(0, lateMs) * 1_000);
    if (loops > 0) slab.record(dispatcher, loopDuration, (busyMs * 1_000) / loops, loops);
  }
}
