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
const noBytes = new Uint8Array(0);

/** What is known of a field from its bytes; the thread's, written over by every `read`. */
export class FieldFacts {
  pseudo: number = pseudo.none;
  /** `knownHeader`, or 0. */
  id = 0;
  isMalformed = false;
  /** Without the blanks around it (which Envoy tolerates). */
  valueStart = 0;
  valueEnd = 0;

  /** Judges the name in bytes[start, nameEnd) and the value behind it, of which two bytes keep it apart. */
  read(bytes: Uint8Array, start: number, nameEnd: number, valueEnd: number): void {
    this.pseudo = pseudo.none;
    this.id = 0;
    this.isMalformed = nameEnd === start;
    if (bytes[start] === colon && nameEnd > start) this.pseudo = pseudoOf(bytes, start, nameEnd);
    else this.#readName(bytes, start, nameEnd);
    this.#readValue(bytes, nameEnd + 2, valueEnd);
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

/** The thread's. */
export const fieldFacts = new FieldFacts();

/** A line in some bytes: `name: value` CRLF. */
export interface TableLine {
  readonly start: number;
  readonly nameEnd: number;
  readonly end: number;
  /** As HPACK counts it. */
  readonly size: number;
}

/** What a table knows of a line. */
export class HeaderEntry {
  /** `name: value` CRLF begins at `start`. */
  bytes: Uint8Array = noBytes;
  start = 0;
  nameLength = 0;
  lineLength = 0;
  /** As HPACK counts it (RFC 7541 §4.1), with the blanks that the line leaves out. */
  size = 0;
  pseudo: number = pseudo.none;
  id = 0;
  isMalformed = false;

  static of(name: string, value: string): HeaderEntry {
    const line = latin1(`${name}: ${value}\r\n`);
    const { length } = name;
    fieldFacts.read(line, 0, length, line.length - 2);
    const entry = new HeaderEntry();
    const size = entrySize(length, value.length);
    entry.set(line, 0, { start: 0, nameEnd: length, end: line.length, size }, fieldFacts);
    return entry;
  }

  /** Of the line that was copied to bytes[start, …) from where `line` says. */
  set(bytes: Uint8Array, start: number, line: TableLine, facts: FieldFacts): void {
    this.bytes = bytes;
    this.start = start;
    this.nameLength = line.nameEnd - line.start;
    this.lineLength = line.end - line.start;
    this.size = line.size;
    this.pseudo = facts.pseudo;
    this.id = facts.id;
    this.isMalformed = facts.isMalformed;
  }

  /** Copies its line; returns the position behind it. */
  move(bytes: Uint8Array, at: number): number {
    bytes.set(this.bytes.subarray(this.start, this.start + this.lineLength), at);
    this.bytes = bytes;
    this.start = at;
    return at + this.lineLength;
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
