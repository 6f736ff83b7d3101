/**
 * Int32 counters that are exact over all workers (`Atomics`): circuit breakers, connections of a
 * listener. Main gives out their places; workers count. The first places are those of `limitLayout`.
 *
 * A place that was given back may still be counted down by connections that outlive their owner (the pools
 * of a removed cluster), so it is given out again only once all its counters stand at zero.
 */
import { limitLayout } from "../../shared/protocol/worker-init.ts";

/** 4 MiB: room for 130,000 clusters; memory that is never touched is never committed. */
export const sharedLimitSlots = 1024 * 1024;

export class SharedLimits {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Int32Array;
  /** Given back, by size; not all of them are at zero yet. */
  readonly #returned = new Map<number, number[]>();
  #next: number = limitLayout.firstFree;

  constructor(slots = sharedLimitSlots) {
    this.buffer = new SharedArrayBuffer(slots * Int32Array.BYTES_PER_ELEMENT);
    this.#values = new Int32Array(this.buffer);
  }

  /** Index of `size` neighbouring counters at zero; undefined when there is no room. */
  allocate(size: number): number | undefined {
    const returned = this.#returned.get(size) ?? [];
    const reusable = returned.findIndex((index) => this.isZero(index, size));
    if (reusable >= 0) return returned.splice(reusable, 1)[0];
    if (this.#next + size > this.#values.length) return undefined;
    const index = this.#next;
    this.#next += size;
    return index;
  }

  release(index: number, size: number): void {
    const returned = this.#returned.get(size);
    if (returned) returned.push(index);
    else this.#returned.set(size, [index]);
  }

  /** True when no worker counts anything there. */
  isZero(index: number, size: number): boolean {
    for (let i = index; i < index + size; i++) {
      if (Atomics.load(this.#values, i) !== 0) return false;
    }
    return true;
  }

  /** Main's part where it counts down what workers count up. */
  subtract(index: number, amount: number): void {
    Atomics.sub(this.#values, index, amount);
  }

  /** What main alone decides and workers read. */
  write(index: number, value: number): void {
    Atomics.store(this.#values, index, value);
  }

  read(index: number): number {
    return Atomics.load(this.#values, index);
  }
}
