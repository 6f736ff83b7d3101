/**
 * METADATA of one stream on its way in: payloads of its frames, until one of them ends the block.
 *
 * What a newcomer would get wrong: the limit is for all that a stream gets in its life, as Envoy's is. No window holds
 * METADATA, so this is all that bounds it.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import { latin1Text } from "../http1/ascii.ts";
import { entrySize, type HeaderEntry } from "./header-entry.ts";
import { completeLine, type FieldStage, HpackDecoder } from "./hpack-decoder.ts";

/** What fields take by RFC 7541 §4.1, against what they came in: more is no compression that helps anybody. */
const expansionMax = 2;
/** As HPACK's is at first, and stays, for one block. */
const tableBytes = 4096;
/** A name of the table, and the bytes around a literal. */
const literalSlack = tableBytes + 16;

const empty = new Uint8Array(0);

export class MetadataDecoder {
  readonly #bytesMax: number;
  /** Of the block so far; one piece, for a frame may bring a byte, and there may be ever so many. */
  #block = empty;
  #length = 0;
  #received = 0;
  #decoded = 0;

  /** `bytesMax`: of all payloads. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The payload of a frame, a view. Undefined: the block goes on. `broken`: too much, or no HPACK. */
  take(payload: Uint8Array, isEnd: boolean): Metadata | "broken" | undefined {
    this.#received += payload.length;
    if (this.#received > this.#bytesMax) return "broken";
    // Nearly all are one frame each.
    if (isEnd && this.#length === 0) return this.#decode(payload);
    this.#append(payload);
    if (!isEnd) return undefined;
    const block = this.#block.subarray(0, this.#length);
    this.#block = empty;
    this.#length = 0;
    return this.#decode(block);
  }

  #decode(block: Uint8Array): Metadata | "broken" {
    const stage = new MetadataStage(block.length, this.#bytesMax * expansionMax - this.#decoded);
    const isWhole = new HpackDecoder(tableBytes).decode(block, 0, block.length, stage);
    this.#decoded += stage.size;
    return isWhole && !stage.isRefused ? stage.metadata : "broken";
  }

  #append(payload: Uint8Array): void {
    const length = this.#length + payload.length;
    if (length > this.#block.length) {
      const larger = new Uint8Array(Math.max(length, this.#block.length * 2));
      larger.set(this.#block.subarray(0, this.#length));
      this.#block = larger;
    }
    this.#block.set(payload, this.#length);
    this.#length = length;
  }
}

/** Of a name that comes twice the first value stands, as in Envoy. */
class MetadataStage implements FieldStage {
  readonly metadata: Metadata = new Map();
  /** Where one literal after another is decoded. */
  readonly bytes: Uint8Array;
  readonly at = 0;
  readonly limit: number;
  /** By RFC 7541 §4.1. */
  size = 0;
  isRefused = false;
  readonly #sizeMax: number;

  constructor(blockBytes: number, sizeMax: number) {
    // Huffman's code makes 8 bytes of 5.
    this.limit = Math.ceil((blockBytes * 8) / 5) + literalSlack;
    this.bytes = new Uint8Array(this.limit);
    this.#sizeMax = sizeMax;
  }

  addEntry({ bytes, start, nameLength, lineLength }: HeaderEntry): void {
    this.#add(bytes.subarray(start, start + lineLength), nameLength, lineLength - 2);
  }

  addLiteral(nameEnd: number, valueEnd: number): number {
    this.#add(this.bytes, nameEnd, valueEnd);
    const end = valueEnd + 2;
    completeLine(this.bytes, { start: 0, nameEnd, end });
    return end;
  }

  refuseLiteral(): void {
    this.isRefused = true;
  }

  #add(bytes: Uint8Array, nameEnd: number, valueEnd: number): void {
    this.size += entrySize(nameEnd, valueEnd - nameEnd - 2);
    this.isRefused ||= this.size > this.#sizeMax;
    if (this.isRefused) return;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const name = latin1Text(buffer, 0, nameEnd);
    if (!this.metadata.has(name))
      this.metadata.set(name, latin1Text(buffer, nameEnd + 2, valueEnd));
  }
}
