import { type StatBlock, recordHistogram } from "./stat-group.ts";

/** One thread's stats. Memory behind untouched slots is never committed by the kernel. */
export const slabSlots = 4 * 1024 * 1024;

export function createSlab(): SharedArrayBuffer {
  return new SharedArrayBuffer(slabSlots * Float64Array.BYTES_PER_ELEMENT);
}

/**
 * The writer's view of one thread's slab. Hot paths hold `values` and compute
 * `values[block + offset]++` with offsets that are module constants; the methods are for the rest.
 */
export class StatSlab {
  readonly values: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.values = new Float64Array(buffer);
  }

  add(block: StatBlock, offset: number, amount = 1): void {
    (this.values[block + offset] as number) += amount;
  }

  set(block: StatBlock, offset: number, value: number): void {
    this.values[block + offset] = value;
  }

  /** `times`: so often the same value. */
  record(block: StatBlock, offset: number, value: number, times = 1): void {
    recordHistogram(this.values, block + offset, value, times);
  }
}
