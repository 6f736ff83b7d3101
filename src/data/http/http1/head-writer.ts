/**
 * Composes a head in the arena's scratch window, to be sent from there. One per worker; nothing it
 * wrote survives the next `begin`.
 *
 * Running out of room is not an error to handle at every call: what does not fit is left out and
 * `hasOverflowed` says so, once, before the head is sent.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { latin1 } from "./ascii.ts";
import { headers } from "./header-table.ts";

const hexDigits = latin1("0123456789abcdef");
const lineBreak = latin1("\r\n");

export class HeadWriter {
  readonly bytes: Uint8Array;
  readonly buffer: Buffer;
  readonly start: number;
  readonly #limit: number;
  /** Where the next byte goes: the head is bytes[start, at). */
  at: number;
  hasOverflowed = false;

  constructor(arena: Arena) {
    this.bytes = arena.bytes;
    this.buffer = arena.buffer;
    this.start = arena.scratchStart;
    this.#limit = arena.scratchEnd;
    this.at = this.start;
  }

  get capacity(): number {
    return this.#limit - this.start;
  }

  begin(): void {
    this.at = this.start;
    this.hasOverflowed = false;
  }

  put(literal: Uint8Array): void {
    const length = literal.length;
    let at = this.at;
    if (at + length > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    const bytes = this.bytes;
    for (let i = 0; i < length; i++) bytes[at++] = literal[i] as number;
    this.at = at;
  }

  /** Copies arena bytes [start, end), which do not overlap the scratch window's used part. */
  copy(start: number, end: number): void {
    if (this.at + end - start > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    this.bytes.copyWithin(this.at, start, end);
    this.at += end - start;
  }

  /** Latin1 text; for what is not on the hot path. */
  text(text: string): void {
    if (this.at + text.length > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    this.at += this.buffer.write(text, this.at, "latin1");
  }

  byte(value: number): void {
    if (this.at < this.#limit) this.bytes[this.at++] = value;
    else this.hasOverflowed = true;
  }

  endLine(): void {
    this.put(lineBreak);
  }

  /** A whole number from 0 to 2⁵³. */
  decimal(value: number): void {
    let divisor = 1;
    while (divisor * 10 <= value) divisor *= 10;
    let rest = value;
    while (divisor >= 1) {
      const digit = Math.floor(rest / divisor);
      this.byte(0x30 + digit);
      rest -= digit * divisor;
      divisor /= 10;
    }
  }

  hexByte(value: number): void {
    this.byte(hexDigits[value >> 4] as number);
    this.byte(hexDigits[value & 15] as number);
  }

  /**
   * Copies every field of the table that is not dropped, as `name: value` lines. Neighbours that are
   * already in that form go in one `copyWithin`.
   */
  copyFields(): void {
    let runStart = -1;
    let runEnd = -1;
    for (let i = 0; i < headers.count; i++) {
      const isKept = headers.isDropped[i] === 0;
      const joinsRun = isKept && this.#isCanonical(i);
      const nameStart = headers.nameStart[i] as number;
      if (runStart >= 0 && !(joinsRun && nameStart === runEnd)) {
        this.copy(runStart, runEnd);
        runStart = -1;
      }
      if (joinsRun) {
        if (runStart < 0) runStart = nameStart;
        runEnd = headers.lineEnd[i] as number;
      } else if (isKept) this.#copyField(i);
    }
    if (runStart >= 0) this.copy(runStart, runEnd);
  }

  /** `name: value` CRLF with exactly one blank and none at the end. */
  #isCanonical(index: number): boolean {
    const nameEnd = headers.nameEnd[index] as number;
    return (
      (headers.valueStart[index] as number) - nameEnd === 2 &&
      (headers.lineEnd[index] as number) - (headers.valueEnd[index] as number) === 2 &&
      this.bytes[nameEnd + 1] === 0x20
    );
  }

  #copyField(index: number): void {
    this.copy(headers.nameStart[index] as number, headers.nameEnd[index] as number);
    this.byte(0x3a);
    this.byte(0x20);
    this.copy(headers.valueStart[index] as number, headers.valueEnd[index] as number);
    this.endLine();
  }
}
