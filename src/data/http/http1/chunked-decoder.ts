/**
 * The chunked transfer coding, read in place (RFC 9112 §7.1): data is moved together over the framing,
 * so what leaves is one run of body bytes. Trailers are checked, and kept where they are wanted: Envoy drops them
 * unless `enable_trailers` says otherwise.
 *
 * Only CRLF ends a line, sizes have 1 to 13 hexadecimal digits and nothing before them, and extensions
 * and trailers are bounded: everything that another parser may read differently is refused.
 */
import { carriageReturn, hexValue, isValueByte, lineFeed, tokenLower } from "./ascii.ts";

/** Longest extension or all trailers of a body, in bytes; no peer of good will comes near. */
export const chunkOverheadMax = 16 * 1024;
const blankLineBytes = 2;
/** 13 digits are 52 bits: exact in a double. */
const sizeDigitsMax = 13;

const states = {
  size: 0,
  extension: 1,
  sizeLineFeed: 2,
  data: 3,
  dataReturn: 4,
  dataLineFeed: 5,
  trailerStart: 6,
  lastLineFeed: 7,
  trailerName: 8,
  trailerValue: 9,
  trailerLineFeed: 10,
  done: 11,
} as const;

export class ChunkedDecoder {
  /** After `decode`: the end of the data that was moved together from its `start`. */
  dataEnd = 0;
  #state: number = states.size;
  #remaining = 0;
  #digits = 0;
  #overhead = 0;
  #keepsTrailers = false;
  /** Of the trailers, with the blank line behind them. */
  #section: number[] = [];

  get isDone(): boolean {
    return this.#state === states.done;
  }

  /** The trailer section of a body that is done, with its blank line; undefined: it has none, or none is wanted. */
  get trailers(): readonly number[] | undefined {
    return this.#section.length > blankLineBytes ? this.#section : undefined;
  }

  reset(keepsTrailers = false): void {
    this.#keepsTrailers = keepsTrailers;
    if (this.#section.length > 0) this.#section = [];
    this.#state = states.size;
    this.#remaining = 0;
    this.#digits = 0;
    this.#overhead = 0;
  }

  /**
   * Reads bytes[start, end), leaving the data in bytes[start, dataEnd). Returns the position after the
   * last byte that belongs to the body (`end` unless the body is over), or -1 when it is malformed.
   */
  decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    this.dataEnd = start;
    while (at < end && this.#state !== states.done) {
      if (this.#state === states.data) {
        at += this.#moveData(bytes, at, end);
      } else {
        const next = this.#step(bytes[at] as number);
        if (next < 0) return -1;
        if (this.#keepsTrailers && this.#state >= states.trailerStart)
          this.#section.push(bytes[at] as number);
        this.#state = next;
        at++;
      }
    }
    return at;
  }

  #moveData(bytes: Uint8Array, at: number, end: number): number {
    const length = Math.min(this.#remaining, end - at);
    if (this.dataEnd !== at) bytes.copyWithin(this.dataEnd, at, at + length);
    this.dataEnd += length;
    this.#remaining -= length;
    if (this.#remaining === 0) this.#state = states.dataReturn;
    return length;
  }

  /** The state after one byte of framing; -1: malformed. */
  #step(byte: number): number {
    switch (this.#state) {
      case states.size:
        return this.#onSize(byte);
      case states.extension:
        return this.#onText(byte, states.extension, states.sizeLineFeed);
      case states.sizeLineFeed:
        return byte === lineFeed ? this.#onSizeEnd() : -1;
      case states.dataReturn:
        return byte === carriageReturn ? states.dataLineFeed : -1;
      case states.dataLineFeed:
        return byte === lineFeed ? states.size : -1;
      case states.trailerStart:
        if (byte === carriageReturn) return states.lastLineFeed;
        return tokenLower[byte] !== 0 ? this.#count(states.trailerName) : -1;
      case states.lastLineFeed:
        return byte === lineFeed ? states.done : -1;
      case states.trailerName:
        if (byte === 0x3a) return this.#count(states.trailerValue);
        return tokenLower[byte] !== 0 ? this.#count(states.trailerName) : -1;
      case states.trailerValue:
        return this.#onText(byte, states.trailerValue, states.trailerLineFeed);
      default:
        return byte === lineFeed ? states.trailerStart : -1;
    }
  }

  #onSize(byte: number): number {
    const digit = hexValue[byte] as number;
    if (digit >= 0) {
      if (++this.#digits > sizeDigitsMax) return -1;
      this.#remaining = this.#remaining * 16 + digit;
      return states.size;
    }
    if (this.#digits === 0) return -1;
    if (byte === carriageReturn) return states.sizeLineFeed;
    return byte === 0x3b ? states.extension : -1;
  }

  #onSizeEnd(): number {
    this.#digits = 0;
    return this.#remaining === 0 ? states.trailerStart : states.data;
  }

  #onText(byte: number, same: number, atReturn: number): number {
    if (byte === carriageReturn) return atReturn;
    return isValueByte[byte] === 1 ? this.#count(same) : -1;
  }

  #count(state: number): number {
    return ++this.#overhead > chunkOverheadMax ? -1 : state;
  }
}
