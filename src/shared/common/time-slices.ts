/**
 * Long work on the main thread, cut into slices: it shares the thread with the admin, timers and the answers
 * of workers, however much of it there is.
 */
import type { Clock } from "./clock.ts";

/** A collection of garbage may come on top. */
export const sliceMs = 8;

export class TimeSlices {
  readonly #clock: Clock;
  #endMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock.now() + sliceMs;
  }

  /** What was waited for since was not work: a whole slice is to be had again. */
  restart(): void {
    this.#endMs = this.#clock.now() + sliceMs;
  }

  /** The slice has been used up: await `next` before going on. */
  get isOver(): boolean {
    return this.#clock.now() >= this.#endMs;
  }

  /** Lets the event loop turn once. */
  async next(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    this.restart();
  }
}
