/**
 * Where the frames of one direction of a WebSocket begin and end (RFC 6455 §5.2). Heads are read and payloads skipped;
 * nothing is judged, and nothing kept but how much of the present frame is missing: what they say, and in which
 * extension, is between the two ends.
 *
 * What a newcomer would get wrong: a boundary is not the end of a message. Control frames may stand between the
 * fragments of one (§5.4), which is what makes it a place for a Close.
 */

import type { FrameProgress } from "../../../shared/protocol/moved-connection.ts";

const opcodeMask = 0x0f;
const closeOpcode = 0x8;
const maskBit = 0x80;
const maskBytes = 4;
const shortLengthMask = 0x7f;
/** Lengths that say that two, or eight, bytes of length follow. */
const length16 = 126;
const length64 = 127;

export class WebSocketFrames {
  /** Bytes of the present frame that have not come, as far as its head has been read. */
  #missing = 0;
  /** The bytes of its head that were read: 0, 1, or 2 for both and more. */
  #headAt = 0;
  /** Those of its extended length that are to be read; their value so far. */
  #lengthBytes = 0;
  #length = 0;
  #isMasked = false;
  #hasClose = false;

  /** `from`: how far another process has read them. */
  constructor(from?: FrameProgress) {
    if (from === undefined) return;
    this.#missing = from.missing;
    this.#headAt = from.headAt;
    this.#lengthBytes = from.lengthBytes;
    this.#length = from.length;
    this.#isMasked = from.isMasked;
    this.#hasClose = from.hasClose;
  }

  get progress(): FrameProgress {
    return {
      missing: this.#missing,
      headAt: this.#headAt,
      lengthBytes: this.#lengthBytes,
      length: this.#length,
      isMasked: this.#isMasked,
      hasClose: this.#hasClose,
    };
  }

  get isAtBoundary(): boolean {
    return this.#headAt === 0 && this.#missing === 0;
  }

  /** A Close has begun: its sender says nothing more (§5.5.1). */
  get hasClose(): boolean {
    return this.#hasClose;
  }

  /** Reads bytes[start, end) up to the first end of a frame in them; returns where that is, or `end`. */
  readFrame(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#missing > 0) {
        const part = Math.min(this.#missing, end - at);
        this.#missing -= part;
        at += part;
      } else this.#readHeadByte(bytes[at++] as number);
      if (this.isAtBoundary) break;
    }
    return at;
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) at = this.readFrame(bytes, at, end);
  }

  #readHeadByte(byte: number): void {
    if (this.#headAt === 0) {
      this.#hasClose ||= (byte & opcodeMask) === closeOpcode;
      this.#headAt = 1;
      return;
    }
    if (this.#headAt === 1) {
      const short = byte & shortLengthMask;
      this.#isMasked = (byte & maskBit) !== 0;
      this.#lengthBytes = short === length16 ? 2 : short === length64 ? 8 : 0;
      this.#length = this.#lengthBytes === 0 ? short : 0;
      this.#headAt = 2;
    } else {
      // Past 2⁵³ the sum is not exact, and nobody will live to see the end of such a frame.
      this.#length = this.#length * 0x100 + byte;
      this.#lengthBytes--;
    }
    if (this.#lengthBytes > 0) return;
    this.#missing = this.#length + (this.#isMasked ? maskBytes : 0);
    this.#headAt = 0;
  }
}
