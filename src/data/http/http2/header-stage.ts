/**
 * Where a decoded header block becomes a head: lines in the arena's staging window and rows of the header
 * table, as if HTTP/1 had been parsed. So everything behind the codec sees one form.
 *
 * The decoder goes on when the block is refused, since its table must stay in step with the peer's; what
 * comes after is then neither copied nor kept.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { headers, headersMax } from "../http1/header-table.ts";
import { isForbiddenTrailer } from "../http1/trailer-lines.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { entrySize, fieldFacts, type HeaderEntry, pseudo, sizeBesideLine } from "./header-entry.ts";

/** Up to here a loop of ours costs less than the call of a builtin. */
const shortBytes = 24;
/** The same where the builtin wants a view made first. */
const shortLineBytes = 96;
const pseudoCount = pseudo.unknown + 1;

export interface StageLimits {
  readonly bytesMax: number;
  readonly countMax: number;
}

export class HeaderStage {
  readonly bytes: Uint8Array;
  readonly buffer: Buffer;
  /** Where the next byte goes. */
  at = 0;
  /** Fields that make no message of the rules of RFC 9113 §8.2 and §8.3. */
  isMalformed = false;
  isTooLarge = false;
  hasTooMany = false;
  cookieCount = 0;
  /** By `pseudo`: where the values lie; start -1: none. */
  readonly pseudoStart = new Int32Array(pseudoCount);
  readonly pseudoEnd = new Int32Array(pseudoCount);
  readonly #start: number;
  readonly #limit: number;
  #bytesLeft = 0;
  #countLeft = 0;
  #row = 0;
  #hasRegular = false;
  /** The one that is placed. */
  readonly #line = { start: 0, valueStart: 0, valueEnd: 0 };

  constructor(arena: Arena) {
    this.bytes = arena.bytes;
    this.buffer = arena.buffer;
    this.#start = arena.stagingStart;
    this.#limit = arena.stagingEnd;
  }

  get start(): number {
    return this.#start;
  }

  get limit(): number {
    return this.#limit;
  }

  get isRefused(): boolean {
    return this.isMalformed || this.isTooLarge || this.hasTooMany;
  }

  /** `reservedRows`: of the table, for lines that are made of pseudo-headers. */
  begin(limits: StageLimits, reservedRows: number): void {
    this.at = this.#start;
    this.isMalformed = false;
    this.isTooLarge = false;
    this.hasTooMany = false;
    this.cookieCount = 0;
    this.pseudoStart.fill(-1);
    this.#bytesLeft = limits.bytesMax;
    this.#countLeft = Math.min(limits.countMax, headersMax - reservedRows - 1);
    this.#row = reservedRows;
    this.#hasRegular = false;
  }

  /** A field of a table. */
  addEntry(entry: HeaderEntry): void {
    if (!this.#admits(entry.size)) return;
    this.isMalformed ||= entry.isMalformed;
    const start = this.at;
    this.#copyLine(entry);
    const line = this.#line;
    line.start = start;
    line.valueStart = start + entry.nameLength + 2;
    line.valueEnd = this.at - 2;
    this.#place(entry.pseudo, entry.id, line);
  }

  /**
   * A field that the decoder wrote at `at`: its name, two bytes of room, its value up to `valueEnd`. Returns where
   * its line ends (there stays nothing of it if it is refused).
   */
  addLiteral(nameEnd: number, valueEnd: number): number {
    const { bytes, at: start } = this;
    const valueFrom = nameEnd + 2;
    fieldFacts.read(bytes, start, nameEnd, valueEnd);
    const { valueStart, valueEnd: trimmedEnd } = fieldFacts;
    if (valueStart > valueFrom) bytes.copyWithin(valueFrom, valueStart, trimmedEnd);
    const end = valueFrom + trimmedEnd - valueStart;
    bytes[nameEnd] = 0x3a;
    bytes[nameEnd + 1] = 0x20;
    bytes[end] = 0x0d;
    bytes[end + 1] = 0x0a;
    if (!this.#admits(entrySize(nameEnd - start, valueEnd - valueFrom))) return end + 2;
    this.isMalformed ||= fieldFacts.isMalformed;
    this.at = end + 2;
    const line = this.#line;
    line.start = start;
    line.valueStart = valueFrom;
    line.valueEnd = end;
    this.#place(fieldFacts.pseudo, fieldFacts.id, line);
    return this.at;
  }

  /** One that is not kept, whatever it says. */
  refuseLiteral(size: number): void {
    if (this.#admits(size) && !this.isMalformed) this.isTooLarge = true;
  }

  /** Ends the rows. */
  finish(): void {
    headers.count = this.#row;
  }

  /** Writes bytes[start, end) of the arena behind what is there. */
  append(start: number, end: number): void {
    this.bytes.copyWithin(this.at, start, end);
    this.at += end - start;
  }

  put(literal: Uint8Array): void {
    this.#copy(literal);
  }

  /** A row of the table for the line [start, at). */
  setRow(row: number, id: number, line: StagedLine): void {
    headers.nameStart[row] = line.start;
    headers.nameEnd[row] = line.valueStart - 2;
    headers.valueStart[row] = line.valueStart;
    headers.valueEnd[row] = line.valueEnd;
    headers.lineEnd[row] = line.valueEnd + 2;
    headers.id[row] = id;
    headers.isDropped[row] = 0;
  }

  /** One more row, past the limits: made of others. */
  addRow(id: number, line: StagedLine): void {
    this.setRow(this.#row++, id, line);
  }

  #place(kind: number, id: number, line: StagedLine): void {
    if (kind !== pseudo.none) {
      // Before all other fields, and once (RFC 9113 §8.3).
      const isWrong = this.#hasRegular || (this.pseudoStart[kind] as number) >= 0;
      if (isWrong || kind === pseudo.unknown) this.isMalformed = true;
      this.pseudoStart[kind] = line.valueStart;
      this.pseudoEnd[kind] = line.valueEnd;
      return;
    }
    this.#hasRegular = true;
    if (id === knownHeader.cookie) this.cookieCount++;
    this.setRow(this.#row++, id, line);
  }

  #admits(size: number): boolean {
    // As lines of HTTP/1, which the limit is for: Envoy, too, does not count what HPACK adds.
    this.#bytesLeft -= size - sizeBesideLine;
    this.#countLeft--;
    if (this.#bytesLeft < 0 || this.at + size > this.#limit) this.isTooLarge = true;
    else if (this.#countLeft < 0) this.hasTooMany = true;
    return !this.isTooLarge && !this.hasTooMany;
  }

  #copyLine({ bytes: from, start, lineLength }: HeaderEntry): void {
    const { bytes, at } = this;
    if (lineLength > shortLineBytes) bytes.set(from.subarray(start, start + lineLength), at);
    else for (let i = 0; i < lineLength; i++) bytes[at + i] = from[start + i] as number;
    this.at = at + lineLength;
  }

  #copy(line: Uint8Array): void {
    const { bytes, at } = this;
    const { length } = line;
    if (length > shortBytes) bytes.set(line, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = line[i] as number;
    this.at = at + length;
  }
}

export interface StagedLine {
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Whether the block may stand behind a body: no pseudo-headers (RFC 9113 §8.1), nothing that frames or routes. */
export function isTrailerBlock(stage: HeaderStage, reservedRows: number): boolean {
  if (stage.isRefused || stage.pseudoStart.some((start) => start >= 0)) return false;
  for (let i = 0; i < reservedRows; i++) headers.isDropped[i] = 1;
  for (let i = reservedRows; i < headers.count; i++) {
    if (isForbiddenTrailer(headers.id[i] as number)) return false;
  }
  return true;
}
