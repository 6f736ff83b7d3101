/**
 * Encodes heads (RFC 7541) that stand in the arena as the lines of HTTP/1, which is how they are composed.
 * One a connection, since its table is. A line that was sent twice is found by one hash over its bytes and
 * goes out as one or two of them; others are written as they are, for Huffman costs more than it saves here, unless
 * the configuration asks for it.
 */
import { latin1 } from "../http1/ascii.ts";
import { connectType, noUpgrade } from "../request/upgrade.ts";
import { form, writeInteger, writeText } from "./hpack-forms.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { staticCount, staticNames } from "./static-table.ts";

const carriageReturn = 0x0d;
const colon = 0x3a;
const multiplier = 31;
const space = 0x20;
const hostName = latin1("host: ");
const authority = latin1(":authority");
const authorityLine = latin1(":authority: ");
const authorityIndex = 1;
const authorityHash = hashOf(authority);
/** ` HTTP/1.1` CRLF. */
const versionLineBytes = 11;

/** The static table's names by the hash of their bytes and the colon; checked byte by byte when found. */
const namesByHash = new Map<number, { readonly name: Uint8Array; readonly index: number }>();
for (const [name, index] of staticNames)
  namesByHash.set(hashOf(latin1(name)), { name: latin1(name), index });

/** Secrets, which no table of a hop behind us shall hold either (§7.1.3). */
const sensitive: ReadonlySet<number> = new Set(
  ["authorization", "proxy-authorization"].map((name) => staticNames.get(name) ?? 0),
);

/** Lines that were sent once and are remembered as such: a power of two. */
const onceMax = 64;

/** The `:status` fields that the static table has whole. */
const staticStatuses = new Map([
  [200, 8],
  [204, 9],
  [206, 10],
  [304, 11],
  [400, 12],
  [404, 13],
  [500, 14],
]);

interface SentLine {
  readonly line: Uint8Array;
  readonly hash: number;
  /** As HPACK counts it. */
  readonly size: number;
  /** How many were added before it. */
  readonly ordinal: number;
}

export class HpackEncoder {
  readonly #capacityMax: number;
  readonly #usesHuffman: boolean;
  #capacity: number;
  #size = 0;
  #added = 0;
  /** Oldest first, from `#head` on. */
  #lines: SentLine[] = [];
  #head = 0;
  readonly #byHash = new Map<number, SentLine>();
  /**
   * Hashes of lines that were sent once, each where its last bits say. A line enters the table when it comes again: what
   * has another value in each message, as request ids and times have, would only push out what does not.
   */
  readonly #once = new Int32Array(onceMax);
  /** The peer changed its limit: told at the start of the next block, the smallest of the meantime first (§4.2). */
  #smallest = -1;

  /** `capacityMax`: what we are ready to keep, whatever the peer allows. The peer's own limit is 4096 at first. */
  constructor(capacityMax: number, usesHuffman: boolean) {
    this.#capacityMax = capacityMax;
    this.#usesHuffman = usesHuffman;
    this.#capacity = Math.min(capacityMax, defaultTableSize);
    if (this.#capacity < defaultTableSize) this.#smallest = this.#capacity;
  }

  /** SETTINGS_HEADER_TABLE_SIZE of the peer. */
  setPeerLimit(limit: number): void {
    const capacity = Math.min(limit, this.#capacityMax);
    if (capacity === this.#capacity) return;
    this.#smallest = this.#smallest < 0 ? capacity : Math.min(this.#smallest, capacity);
    this.#capacity = capacity;
    this.#evictTo(capacity);
  }

  /**
   * Encodes the status (0: none, of trailers) and the lines bytes[start, end), each `name: value` CRLF, to `to` from
   * `at` on; returns the position after the block, which has at most 3 bytes a line more than the lines have.
   */
  encode(bytes: Uint8Array, lines: HeadLines, at: number): number {
    let to = this.#smallest < 0 ? at : this.#writeSizeUpdates(bytes, at);
    if (lines.status > 0) to = writeStatus(bytes, to, lines.status);
    return this.#encodeLines(bytes, lines.start, lines.end, to);
  }

  /** As `encode`, of a request: what its first line and its Host field say goes in pseudo-headers, before the others. */
  encodeRequest(bytes: Uint8Array, request: RequestLines, at: number): number {
    let to = this.#smallest < 0 ? at : this.#writeSizeUpdates(bytes, at);
    let methodEnd = request.start;
    while (bytes[methodEnd] !== space) methodEnd++;
    let pathEnd = methodEnd + 1;
    while (bytes[pathEnd] !== space) pathEnd++;
    const isUpgrade = request.upgradeType !== noUpgrade && request.upgradeType !== connectType;
    if (isUpgrade) to = writeUpgrade(bytes, to, request.upgradeType);
    else to = this.#writeMethod(bytes, to, request.start, methodEnd);
    if (request.upgradeType !== connectType) {
      bytes[to++] = request.isSecured ? 0x87 : 0x86;
      to = this.#writePath(bytes, to, methodEnd + 1, pathEnd);
    }
    const start = pathEnd + versionLineBytes;
    const hostAt = findHost(bytes, start, request.end);
    if (hostAt < 0) return this.#encodeLines(bytes, start, request.end, to);
    const hostEnd = lineEndOf(bytes, hostAt);
    to = this.#encodeAuthority(bytes, to, hostAt + hostName.length, hostEnd - 2);
    if (hostAt > start) to = this.#encodeLines(bytes, start, hostAt, to);
    return this.#encodeLines(bytes, hostEnd, request.end, to);
  }

  /** Of the value bytes[start, end), as if its line stood there. */
  #encodeAuthority(bytes: Uint8Array, at: number, start: number, end: number): number {
    let hash = authorityHash;
    for (let i = start; i < end; i++)
      hash = (Math.imul(hash, multiplier) + (bytes[i] as number)) | 0;
    const sent = this.#byHash.get(hash);
    if (sent !== undefined && isAuthority(sent.line, bytes, start, end))
      return writeInteger(bytes, at, form.indexed, staticCount + this.#added - sent.ordinal);
    const size = authority.length + end - start + 32;
    const isAdded = this.#isWorthAnEntry(hash, size);
    const to = writeInteger(bytes, at, isAdded ? form.added : form.plain, authorityIndex);
    if (isAdded) {
      const line = new Uint8Array(authorityLine.length + end - start);
      line.set(authorityLine);
      line.set(bytes.subarray(start, end), authorityLine.length);
      this.#add(line, hash, size);
    }
    return this.#writeString(bytes, to, start, end);
  }

  /** The lines bytes[start, end), each `name: value` CRLF. */
  #encodeLines(bytes: Uint8Array, start: number, end: number, at: number): number {
    let to = at;
    let from = start;
    while (from < end) {
      let hash = 0;
      let nameEnd = from;
      for (; ; nameEnd++) {
        const byte = bytes[nameEnd] as number;
        if (byte === colon) break;
        hash = (Math.imul(hash, multiplier) + byte) | 0;
      }
      const nameHash = hash;
      let lineEnd = nameEnd + 2;
      for (; ; lineEnd++) {
        const byte = bytes[lineEnd] as number;
        if (byte === carriageReturn) break;
        hash = (Math.imul(hash, multiplier) + byte) | 0;
      }
      const sent = this.#byHash.get(hash);
      if (sent !== undefined && isLine(sent.line, bytes, from, lineEnd)) {
        to = writeInteger(bytes, to, form.indexed, staticCount + this.#added - sent.ordinal);
      } else to = this.#writeNew(bytes, to, { from, nameEnd, end: lineEnd, nameHash, hash });
      from = lineEnd + 2;
    }
    return to;
  }

  #writeNew(bytes: Uint8Array, at: number, line: NewLine): number {
    const { from, nameEnd, end } = line;
    const index = staticIndexOf(bytes, line);
    const isSecret = sensitive.has(index);
    const size = end - from - 2 + 32;
    const isAdded = !isSecret && this.#isWorthAnEntry(line.hash, size);
    let to = at;
    if (isAdded) to = writeInteger(bytes, to, form.added, index);
    else to = writeInteger(bytes, to, isSecret ? form.never : form.plain, index);
    if (index === 0) to = this.#writeString(bytes, to, from, nameEnd);
    to = this.#writeString(bytes, to, nameEnd + 2, end);
    if (isAdded) this.#add(bytes.slice(from, end), line.hash, size);
    return to;
  }

  #writeMethod(bytes: Uint8Array, at: number, start: number, end: number): number {
    const isGet = end - start === 3 && bytes[start] === 0x47;
    const isPost = end - start === 4 && bytes[start] === 0x50 && bytes[start + 1] === 0x4f;
    if (isGet || isPost) {
      bytes[at] = isGet ? 0x82 : 0x83;
      return at + 1;
    }
    bytes[at] = 0x02;
    return this.#writeString(bytes, at + 1, start, end);
  }

  /** Not added to the table: the next one is another. */
  #writePath(bytes: Uint8Array, at: number, start: number, end: number): number {
    if (end - start === 1 && bytes[start] === 0x2f) {
      bytes[at] = 0x84;
      return at + 1;
    }
    bytes[at] = 0x04;
    return this.#writeString(bytes, at + 1, start, end);
  }

  #writeString(bytes: Uint8Array, at: number, start: number, end: number): number {
    const length = end - start;
    if (this.#usesHuffman) {
      const encoded = huffmanLength(bytes, start, end);
      // What it makes longer stays as it is.
      if (encoded < length)
        return encodeHuffman(bytes, start, end, writeInteger(bytes, at, form.huffman, encoded));
    }
    const to = writeInteger(bytes, at, form.string, length);
    if (length > 24) bytes.copyWithin(to, start, end);
    else for (let i = 0; i < length; i++) bytes[to + i] = bytes[start + i] as number;
    return to + length;
  }

  #isWorthAnEntry(hash: number, size: number): boolean {
    const slot = hash & (onceMax - 1);
    if (this.#once[slot] === hash) return size <= this.#capacity / 2;
    this.#once[slot] = hash;
    return false;
  }

  #add(line: Uint8Array, hash: number, size: number): void {
    this.#evictTo(this.#capacity - size);
    const sent: SentLine = { line, hash, size, ordinal: this.#added++ };
    this.#lines.push(sent);
    this.#size += size;
    this.#byHash.set(hash, sent);
  }

  #evictTo(size: number): void {
    while (this.#size > size) {
      const oldest = this.#lines[this.#head++] as SentLine;
      this.#size -= oldest.size;
      if (this.#byHash.get(oldest.hash) === oldest) this.#byHash.delete(oldest.hash);
    }
    if (this.#head < 64 || this.#head * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#head);
    this.#head = 0;
  }

  #writeSizeUpdates(bytes: Uint8Array, at: number): number {
    let to = at;
    if (this.#smallest < this.#capacity)
      to = writeInteger(bytes, to, form.sizeUpdate, this.#smallest);
    this.#smallest = -1;
    return writeInteger(bytes, to, form.sizeUpdate, this.#capacity);
  }
}

/** RFC 9113 §6.5.2: what holds until SETTINGS say otherwise. */
export const defaultTableSize = 4096;

export interface HeadLines {
  readonly status: number;
  readonly start: number;
  readonly end: number;
}

/** A request's head as HTTP/1 writes it. */
export interface RequestLines {
  /** Of its first line. */
  readonly start: number;
  /** Behind its fields, before the lines that frame a body. */
  readonly end: number;
  readonly isSecured: boolean;
  /** As in `upgrade.ts`: CONNECT has neither scheme nor path, an upgrade is an extended CONNECT (RFC 8441). */
  readonly upgradeType: string;
}

interface NewLine {
  readonly from: number;
  readonly nameEnd: number;
  readonly end: number;
  readonly nameHash: number;
  readonly hash: number;
}

function staticIndexOf(bytes: Uint8Array, { from, nameEnd, nameHash }: NewLine): number {
  const known = namesByHash.get(nameHash);
  if (known === undefined || known.name.length !== nameEnd - from) return 0;
  for (let i = 0; i < known.name.length; i++) if (known.name[i] !== bytes[from + i]) return 0;
  return known.index;
}

function isLine(line: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = line;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (line[i] !== bytes[start + i]) return false;
  return true;
}

function isAuthority(line: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = authorityLine;
  if (line.length !== length + end - start) return false;
  for (let i = 0; i < length; i++) if (line[i] !== authorityLine[i]) return false;
  for (let i = start; i < end; i++) if (line[length + i - start] !== bytes[i]) return false;
  return true;
}

function writeStatus(bytes: Uint8Array, at: number, status: number): number {
  const index = staticStatuses.get(status);
  if (index !== undefined) {
    bytes[at] = 0x80 | index;
    return at + 1;
  }
  // A literal that is not indexed, with the name of entry 8.
  bytes[at] = 0x08;
  bytes[at + 1] = 3;
  bytes[at + 2] = 0x30 + Math.floor(status / 100);
  bytes[at + 3] = 0x30 + (Math.floor(status / 10) % 10);
  bytes[at + 4] = 0x30 + (status % 10);
  return at + 5;
}

/** `:method: CONNECT` and `:protocol`, whose name no static table has. */
function writeUpgrade(bytes: Uint8Array, at: number, type: string): number {
  bytes[at] = 0x02;
  let to = writeText(bytes, at + 1, connectType);
  bytes[to++] = 0x00;
  to = writeText(bytes, to, ":protocol");
  return writeText(bytes, to, type);
}

/** Where the Host line begins, mostly the first; -1: there is none. */
function findHost(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at = lineEndOf(bytes, at)) {
    let i = 0;
    while (i < hostName.length && bytes[at + i] === hostName[i]) i++;
    if (i === hostName.length) return at;
  }
  return -1;
}

/** Behind the line break. */
function lineEndOf(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end] !== carriageReturn) end++;
  return end + 2;
}

function hashOf(name: Uint8Array): number {
  let hash = 0;
  for (const byte of name) hash = (Math.imul(hash, multiplier) + byte) | 0;
  return hash;
}
