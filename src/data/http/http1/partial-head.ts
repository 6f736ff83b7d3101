/**
 * The beginning of a head whose rest has not come yet. Kept outside the arena, put back in front of the
 * next bytes, parsed again as a whole: heads that come in pieces are rare, so nothing is remembered of
 * the first look. Bounded by whoever keeps.
 */
import type { Arena } from "../../../shared/io/arena.ts";

export class PartialHead {
  #bytes: Uint8Array | undefined;

  get isEmpty(): boolean {
    return this.#bytes === undefined;
  }

  get length(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Keeps a copy of bytes[start, end). */
  keep(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes.slice(start, end);
  }

  /** Puts what was kept before arena position `start` and forgets it; returns where it begins. */
  prepend(arena: Arena, start: number): number {
    const kept = this.#bytes;
    if (kept === undefined) return start;
    this.#bytes = undefined;
    arena.bytes.set(kept, start - kept.length);
    return start - kept.length;
  }

  clear(): void {
    this.#bytes = undefined;
  }
}
