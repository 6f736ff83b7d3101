/**
 * One field of an HPACK table as the line of an HTTP/1 head that it becomes: checked and looked up when it
 * enters the table, copied whenever it is named again. That is what makes the second request cheap.
 */
import { isValueByte, latin1, space, tab, tokenLower } from "../http1/ascii.ts";
import { hashSeed, knownHeader, knownHeaderId } from "../http1/known-headers.ts";

/** What a name that begins with a colon stands for. */
export const pseudo = {
  none: 0,
  method: 1,
  path: 2,
  authority: 3,
  scheme: 4,
  status: 5,
  protocol: 6,
  /** Any other: malformed (RFC 9113 §8.3). */
  unknown: 7,
} as const;

const pseudoNames = [
  [pseudo.method, latin1(":method")],
  [pseudo.path, latin1(":path")],
  [pseudo.authority, latin1(":authority")],
  [pseudo.scheme, latin1(":scheme")],
  [pseudo.status, latin1(":status")],
  [pseudo.protocol, latin1(":protocol")],
] as const;
const colon = 0x3a;
const trailers = latin1("trailers");

/** What is known of a field from its bytes; the thread's, written over by every `read`. */
export class FieldFacts {
  pseudo: number = pseudo.none;
  /** `knownHeader`, or 0. */
  id = 0;
  isMalformed = false;
  /** Without the blanks around it (which Envoy tolerates). */
  valueStart = 0;
  valueEnd = 0;

  /** Judges the name in bytes[start, end) and the value in bytes[valueStart, valueEnd). */
  read(bytes: Uint8Array, start: number, end: number, value: Range): void {
    this.pseudo = pseudo.none;
    this.id = 0;
    this.isMalformed = end === start;
    if (bytes[start] === colon && end > start) this.pseudo = pseudoOf(bytes, start, end);
    else this.#readName(bytes, start, end);
    this.#readValue(bytes, value.start, value.end);
    if (this.id !== 0 && this.id <= knownHeader.upgrade)
      this.isMalformed ||= !this.#isTrailersTe(bytes);
  }

  #readName(bytes: Uint8Array, start: number, end: number): void {
    let hash = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      // Upper case is malformed, as is whatever no name may hold.
      if (tokenLower[byte] !== byte || byte === 0) this.isMalformed = true;
      hash = (Math.imul(hash, hashSeed) + byte) | 0;
    }
    this.id = knownHeaderId(bytes, start, end, hash);
  }

  #readValue(bytes: Uint8Array, from: number, to: number): void {
    let start = from;
    let end = to;
    while (start < end && isBlank(bytes[start] as number)) start++;
    while (end > start && isBlank(bytes[end - 1] as number)) end--;
    this.valueStart = start;
    this.valueEnd = end;
    for (let at = start; at < end; at++) {
      if (isValueByte[bytes[at] as number] === 0) {
        this.isMalformed = true;
        return;
      }
    }
  }

  /** Fields of the connection have no place in HTTP/2, but for `te: trailers` (RFC 9113 §8.2.2). */
  #isTrailersTe(bytes: Uint8Array): boolean {
    if (this.id !== knownHeader.te || this.valueEnd - this.valueStart !== trailers.length)
      return false;
    for (let i = 0; i < trailers.length; i++) {
      if (bytes[this.valueStart + i] !== trailers[i]) return false;
    }
    return true;
  }
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The thread's. */
export const fieldFacts = new FieldFacts();

export class HeaderEntry {
  /** `name: value` CRLF. */
  readonly line: Uint8Array;
  readonly nameLength: number;
  readonly valueLength: number;
  /** As HPACK counts it (RFC 7541 §4.1), with the blanks that the line leaves out. */
  readonly size: number;
  readonly pseudo: number;
  readonly id: number;
  readonly isMalformed: boolean;

  constructor(line: Uint8Array, nameLength: number, size: number) {
    const valueStart = nameLength + 2;
    const valueEnd = line.length - 2;
    fieldFacts.read(line, 0, nameLength, { start: valueStart, end: valueEnd });
    this.line = line;
    this.nameLength = nameLength;
    this.valueLength = valueEnd - valueStart;
    this.size = size;
    this.pseudo = fieldFacts.pseudo;
    this.id = fieldFacts.id;
    this.isMalformed = fieldFacts.isMalformed;
  }

  static of(name: string, value: string): HeaderEntry {
    const line = latin1(`${name}: ${value}\r\n`);
    return new HeaderEntry(line, name.length, entrySize(name.length, value.length));
  }
}

/** RFC 7541 §4.1. */
export function entrySize(nameLength: number, valueLength: number): number {
  return nameLength + valueLength + 32;
}

/** Of an entry's size, what no line of HTTP/1 has: that ends in CRLF, and has a colon and a blank. */
export const sizeBesideLine = 28;

function pseudoOf(bytes: Uint8Array, start: number, end: number): number {
  for (const [kind, name] of pseudoNames) {
    if (name.length !== end - start) continue;
    let i = 0;
    while (i < name.length && bytes[start + i] === name[i]) i++;
    if (i === name.length) return kind;
  }
  return pseudo.unknown;
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tab;
}
