/**
 * Decodes header blocks (RFC 7541) into a stage. One a connection, since its table is.
 *
 * What a newcomer would get wrong: any error here ends the connection. A block that was skipped or half read
 * leaves the table out of step, and the next one would mean something else.
 */
import { DynamicTable } from "./dynamic-table.ts";
import { type ByteOutput, decodeHuffman } from "./huffman.ts";
import { entrySize, fieldFacts, type HeaderEntry, type TableLine } from "./header-entry.ts";

/** Where fields go; literals are decoded to `bytes` at `at`, with room for two bytes between and behind. */
export interface FieldStage {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly limit: number;
  /** Nothing more of the block is kept. */
  readonly isRefused: boolean;
  addEntry(entry: HeaderEntry): void;
  /** Makes a line of the literal, and judges it (`fieldFacts`); returns where it ends. */
  addLiteral(nameEnd: number, valueEnd: number): number;
  refuseLiteral(size: number): void;
}

/** Our SETTINGS_HEADER_TABLE_SIZE allows no more updates than a shrink and a growth (§4.2). */
const sizeUpdatesMax = 2;

export class HpackDecoder {
  readonly #table: DynamicTable;
  /** Where a literal is written that the stage has no room for: only its way into the table counts. */
  #spill: Uint8Array | undefined;
  readonly #out: ByteOutput = { bytes: new Uint8Array(0), at: 0 };
  /** The literal that was read last. */
  readonly #line = { start: 0, nameEnd: 0, end: 0, size: 0 };
  #at = 0;
  #value = 0;

  constructor(tableSizeMax: number) {
    this.#table = new DynamicTable(tableSizeMax);
  }

  /** Bytes of the dynamic table. */
  get tableSize(): number {
    return this.#table.size;
  }

  /** Decodes bytes[start, end), a whole block. False: COMPRESSION_ERROR. */
  decode(bytes: Uint8Array, start: number, end: number, stage: FieldStage): boolean {
    this.#at = start;
    if (!this.#sizeUpdates(bytes, end)) return false;
    while (this.#at < end) {
      const first = bytes[this.#at] as number;
      if (first >= 0x80) {
        if (!this.#integer(bytes, end, 7)) return false;
        const entry = this.#value === 0 ? undefined : this.#table.get(this.#value);
        if (entry === undefined) return false;
        stage.addEntry(entry);
      } else if ((first & 0xe0) === 0x20) return false;
      else if (!this.#literal(bytes, end, stage)) return false;
    }
    return true;
  }

  /** Only before the fields (§4.2). */
  #sizeUpdates(bytes: Uint8Array, end: number): boolean {
    let count = 0;
    while (this.#at < end && ((bytes[this.#at] as number) & 0xe0) === 0x20) {
      if (++count > sizeUpdatesMax || !this.#integer(bytes, end, 5)) return false;
      if (!this.#table.resize(this.#value)) return false;
    }
    return true;
  }

  #literal(bytes: Uint8Array, end: number, stage: FieldStage): boolean {
    const isIndexed = ((bytes[this.#at] as number) & 0x40) !== 0;
    if (!this.#integer(bytes, end, isIndexed ? 6 : 4)) return false;
    const index = this.#value;
    const named = index === 0 ? undefined : this.#table.get(index);
    if (index !== 0 && named === undefined) return false;
    // Encoded, a literal takes what is left of the block at most; Huffman makes 8 bytes of 5.
    const most = Math.ceil(((end - this.#at) * 8) / 5) + (named?.nameLength ?? 0) + 8;
    const fits = !stage.isRefused && stage.at + most <= stage.limit;
    const out = this.#out;
    out.bytes = fits ? stage.bytes : this.#spillOf(most);
    const from = fits ? stage.at : 0;
    out.at = from;
    if (named !== undefined) copyName(named, out);
    else if (!this.#string(bytes, end)) return false;
    const nameEnd = out.at;
    out.at += 2;
    if (!this.#string(bytes, end)) return false;
    const line = this.#line;
    line.start = from;
    line.nameEnd = nameEnd;
    line.size = entrySize(nameEnd - from, out.at - nameEnd - 2);
    if (fits) line.end = stage.addLiteral(nameEnd, out.at);
    else {
      line.end = out.at + 2;
      stage.refuseLiteral(line.size);
      if (isIndexed) completeLine(out.bytes, line);
    }
    if (isIndexed) this.#table.add(out.bytes, line, fieldFacts);
    return true;
  }

  /** Reads a string to the output. */
  #string(bytes: Uint8Array, end: number): boolean {
    if (this.#at >= end) return false;
    const isHuffman = ((bytes[this.#at] as number) & 0x80) !== 0;
    if (!this.#integer(bytes, end, 7)) return false;
    const from = this.#at;
    const to = from + this.#value;
    if (to > end) return false;
    this.#at = to;
    if (isHuffman) return decodeHuffman(bytes, from, to, this.#out);
    const out = this.#out.bytes;
    const shift = this.#out.at - from;
    for (let i = from; i < to; i++) out[i + shift] = bytes[i] as number;
    this.#out.at += to - from;
    return true;
  }

  /** §5.1, up to 2²⁸: what is larger names no size of ours. */
  #integer(bytes: Uint8Array, end: number, prefixBits: number): boolean {
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.#at++] as number) & mask;
    if (value === mask) {
      let shift = 0;
      for (;;) {
        if (this.#at >= end || shift > 21) return false;
        const byte = bytes[this.#at++] as number;
        value += (byte & 0x7f) << shift;
        shift += 7;
        if (byte < 0x80) break;
      }
    }
    this.#value = value;
    return true;
  }

  #spillOf(length: number): Uint8Array {
    if (this.#spill === undefined || this.#spill.length < length) {
      this.#spill = new Uint8Array(Math.max(length, 16_384));
    }
    return this.#spill;
  }
}

function copyName({ bytes: from, start, nameLength }: HeaderEntry, out: ByteOutput): void {
  const { bytes, at } = out;
  for (let i = 0; i < nameLength; i++) bytes[at + i] = from[start + i] as number;
  out.at = at + nameLength;
}

/** As stages write a line, and judge it. */
export function completeLine(
  bytes: Uint8Array,
  { start, nameEnd, end }: Omit<TableLine, "size">,
): void {
  bytes[nameEnd] = 0x3a;
  bytes[nameEnd + 1] = 0x20;
  bytes[end - 2] = 0x0d;
  bytes[end - 1] = 0x0a;
  fieldFacts.read(bytes, start, nameEnd, end - 2);
}
