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
/** Up to here a loop of ours costs less than the call of a builtin. */
const shortBytes = 24;
const uuidLength = 36;
const lineBreak = latin1("\r\n");

export class HeadWriter {
  readonly bytes: Uint8Array;
  readonly buffer: Buffer;
  readonly start: number;
  readonly #limit: number;
  /** Where the next byte goes: the head is bytes[start, at). */
  at: number;
  /** Of a request: behind its fields, where the lines begin that frame a body for HTTP/1 alone. */
  framingStart = 0;
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
    const at = this.at;
    if (at + length > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    const bytes = this.bytes;
    if (length > shortBytes) bytes.set(literal, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = literal[i] as number;
    this.at = at + length;
  }

  /** Copies arena bytes [start, end), which do not overlap the scratch window's used part. */
  copy(start: number, end: number): void {
    const length = end - start;
    const at = this.at;
    if (at + length > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    const bytes = this.bytes;
    if (length > shortBytes) bytes.copyWithin(at, start, end);
    else for (let i = 0; i < length; i++) bytes[at + i] = bytes[start + i] as number;
    this.at = at + length;
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

  /** Sixteen bytes of `source` from `at` on, as the text of a UUID. */
  uuid(source: Uint8Array, at: number): void {
    if (this.at + uuidLength > this.#limit) {
      this.hasOverflowed = true;
      return;
    }
    const bytes = this.bytes;
    let to = this.at;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) bytes[to++] = 0x2d;
      const value = source[at + i] as number;
      bytes[to++] = hexDigits[value >> 4] as number;
      bytes[to++] = hexDigits[value & 15] as number;
    }
    this.at = to;
  }

  /**
   * Copies every field of the table that is not dropped, as `name: value` lines. Neighbours that are
   * already in that form go in one `copyWithin`.
   */
  copyFields(): void {
    const { count, nameStart, nameEnd, valueStart, valueEnd, lineEnd, isDropped } = headers;
    const { bytes } = this;
    let runStart = -1;
    let runEnd = -1;
    for (let i = 0; i < count; i++) {
      const isKept = isDropped[i] === 0;
      const start = nameStart[i] as number;
      const colonAt = nameEnd[i] as number;
      const end = lineEnd[i] as number;
      // Exactly one blank after the colon and none at the end.
      const isCanonical =
        (valueStart[i] as number) - colonAt === 2 &&
        end - (valueEnd[i] as number) === 2 &&
        bytes[colonAt + 1] === 0x20;
      const joinsRun = isKept && isCanonical;
      if (runStart >= 0 && !(joinsRun && start === runEnd)) {
        this.copy(runStart, runEnd);
        runStart = -1;
      }
      if (joinsRun) {
        if (runStart < 0) runStart = start;
        runEnd = end;
      } else if (isKept) this.#copyField(i);
    }
    if (runStart >= 0) this.copy(runStart, runEnd);
  }

  #copyField(index: number): void {
    this.copy(headers.nameStart[index] as number, headers.nameEnd[index] as number);
    this.byte(0x3a);
    this.byte(0x20);
    this.copy(headers.valueStart[index] as number, headers.valueEnd[index] as number);
    this.endLine();
  }
}
