import type { Random } from "./random.ts";

/** Envoy's `JitteredExponentialBackOffStrategy`: each delay is uniform over [0, base · 2ⁿ), capped. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #ceilingMs: number;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#ceilingMs = options.baseMs;
  }

  /** The next delay in whole milliseconds; the ceiling doubles for the one after it. */
  nextMs(): number {
    const delayMs = Math.floor(this.#random.next() * this.#ceilingMs);
    this.#ceilingMs = Math.min(this.#ceilingMs * 2, this.#options.maxMs);
    return delayMs;
  }

  /** After a success the next failure starts small again. */
  reset(): void {
    this.#ceilingMs = this.#options.baseMs;
  }
}
