/**
 * Blocks for output that the kernel has not taken yet. Mapped in segments as they are needed, up to a
 * cap, and never unmapped, so that a stale address can never hit memory of somebody else. Blocks are
 * known by index; only `addressOf` turns one into an address, and only `shared/io` calls it.
 *
 * A free block is poisoned in `#next`, so that releasing it twice is caught at the second release.
 */
import { assert } from "../common/assert.ts";
import { mapMemory } from "./syscalls.ts";

export const blockBytes = 16 * 1024;
const blocksPerSegment = 1024;
const none = -1;
/** In `#next` of a block that is free and the last of the free list, respectively in use and last of its queue. */
const freeMark = -2;

export class BlockPool {
  readonly #blocksMax: number;
  readonly #segments: number[] = [];
  /** Links of queues, by block; `none` ends one. */
  readonly #next: Int32Array;
  /** Free blocks, a stack: the block used last is the one still in the cache. */
  readonly #free: Int32Array;
  #freeCount = 0;
  #mapped = 0;

  /** `bytesMax` is rounded down to whole blocks. */
  constructor(bytesMax: number) {
    this.#blocksMax = Math.floor(bytesMax / blockBytes);
    this.#next = new Int32Array(this.#blocksMax);
    this.#free = new Int32Array(this.#blocksMax);
  }

  get inUse(): number {
    return this.#mapped - this.#freeCount;
  }

  /** True when the next `acquire` would fail, short of the system refusing memory. */
  get isExhausted(): boolean {
    return this.#freeCount === 0 && this.#mapped >= this.#blocksMax;
  }

  /** A block without successor, or -1 at the cap. */
  acquire(): number {
    if (this.#freeCount === 0 && !this.#mapSegment()) return none;
    this.#freeCount -= 1;
    const block = this.#free[this.#freeCount] ?? none;
    this.#next[block] = none;
    return block;
  }

  release(block: number): void {
    assert(block >= 0 && block < this.#mapped, `block ${block} is none of ours`);
    assert(this.#next[block] !== freeMark, `block ${block} was released twice`);
    this.#next[block] = freeMark;
    this.#free[this.#freeCount] = block;
    this.#freeCount += 1;
  }

  next(block: number): number {
    return this.#next[block] ?? none;
  }

  link(block: number, successor: number): void {
    this.#next[block] = successor;
  }

  addressOf(block: number): number {
    const segment = this.#segments[Math.floor(block / blocksPerSegment)];
    assert(segment !== undefined && this.#next[block] !== freeMark, `block ${block} is not in use`);
    return segment + (block % blocksPerSegment) * blockBytes;
  }

  #mapSegment(): boolean {
    const blocks = Math.min(blocksPerSegment, this.#blocksMax - this.#mapped);
    if (blocks <= 0) return false;
    const mapping = mapMemory(blocks * blockBytes);
    if (mapping === undefined) return false;
    this.#segments.push(mapping.address);
    // Highest first, so that the stack hands out ascending blocks.
    for (let i = blocks - 1; i >= 0; i--) {
      this.#next[this.#mapped + i] = freeMark;
      this.#free[this.#freeCount++] = this.#mapped + i;
    }
    this.#mapped += blocks;
    return true;
  }
}
