/**
 * A token bucket that several threads take from, exact over all of them: one number in shared memory, the instant at which
 * all tokens taken so far would have been filled in again (the generic cell rate algorithm). It fills steadily.
 *
 * What a newcomer would get wrong: it must be read as 64 bits. In 32 it would go wrong some time after the last connection.
 */
export interface TokenBucketRate {
  readonly maxTokens: number;
  /** Of one token, above 0. */
  readonly fillMs: number;
}

export class SharedTokenBucket {
  readonly #cell: BigInt64Array;
  readonly #fillNs: bigint;
  readonly #spanNs: bigint;

  /** `index`: even, of its counters (`tokenBucketSlots`), which are at zero for a bucket that is full. */
  constructor(limits: Int32Array, index: number, { maxTokens, fillMs }: TokenBucketRate) {
    this.#cell = new BigInt64Array(limits.buffer, limits.byteOffset + index * 4, 1);
    this.#fillNs = nanoseconds(fillMs);
    this.#spanNs = this.#fillNs * BigInt(maxTokens);
  }

  /** Of a clock that all threads share; false: there is no token. */
  take(nowMs: number): boolean {
    const now = nanoseconds(nowMs);
    for (;;) {
      const filledAt = Atomics.load(this.#cell, 0);
      const next = (filledAt > now ? filledAt : now) + this.#fillNs;
      if (next - now > this.#spanNs) return false;
      if (Atomics.compareExchange(this.#cell, 0, filledAt, next) === filledAt) return true;
    }
  }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.max(1, Math.round(ms * 1e6)));
}
