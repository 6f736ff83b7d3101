/**
 * Runs tasks one after another, each to its end, also across its awaits (grpc-go: `CallbackSerializer`).
 * State that only tasks of one queue touch can therefore not change under a task that waits. A task that
 * awaits another task of its own queue waits for ever.
 *
 * Thousands of tasks that come at once (listeners that all became warm) share the thread by slices of time.
 *
 * There is no limit here: callers add one task for an event that they bound themselves (a batch whose
 * acknowledgement is held back, a listener that became warm).
 */
import type { Clock } from "./clock.ts";
import { TimeSlices } from "./time-slices.ts";

export class SerialQueue {
  readonly #slices: TimeSlices;
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  constructor(clock: Clock) {
    this.#slices = new TimeSlices(clock);
  }

  /** Tasks not finished yet. */
  get length(): number {
    return this.#length;
  }

  /** Settles as the task does; a task that fails does not stop those behind it. */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#length === 0) this.#slices.restart();
    this.#length++;
    const inTurn = (): T | Promise<T> =>
      this.#slices.isOver ? this.#slices.next().then(task) : task();
    const result = this.#last.then(inTurn).finally(() => {
      this.#length--;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}
