/** Our half of HPACK over ordinary memory, with the forms that tests speak in: fields in, fields out. */
import { headers } from "../../src/data/http/http1/header-table.ts";
import { pseudo } from "../../src/data/http/http2/header-entry.ts";
import { HeaderStage, type StageLimits } from "../../src/data/http/http2/header-stage.ts";
import { HpackDecoder } from "../../src/data/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../src/data/http/http2/hpack-encoder.ts";
import { createTestArena } from "./arena.ts";

export type PlainField = readonly [name: string, value: string];

export interface DecodedBlock {
  /** False: COMPRESSION_ERROR. */
  readonly isDecoded: boolean;
  readonly isMalformed: boolean;
  readonly isRefused: boolean;
  /** Those that are no pseudo-headers. */
  readonly fields: readonly PlainField[];
  /** By the numbers of `pseudo`. */
  readonly pseudoHeaders: ReadonlyMap<number, string>;
}

const plenty: StageLimits = { bytesMax: 60 * 1024, countMax: 100 };

export class BlockDecoder {
  readonly #arena = createTestArena();
  readonly #stage = new HeaderStage(this.#arena);
  readonly #decoder: HpackDecoder;

  constructor(tableBytes = 4096) {
    this.#decoder = new HpackDecoder(tableBytes);
  }

  get tableSize(): number {
    return this.#decoder.tableSize;
  }

  /** `around`: what lies before and behind the block, which must make no difference. */
  decode(block: Uint8Array, limits: StageLimits = plenty, around = 0): DecodedBlock {
    const bytes = new Uint8Array(block.length + 32).fill(around);
    bytes.set(block, 16);
    this.#stage.begin(limits, 0);
    const isDecoded = this.#decoder.decode(bytes, 16, 16 + block.length, this.#stage);
    this.#stage.finish();
    const { isMalformed, isRefused, pseudoStart, pseudoEnd } = this.#stage;
    const { buffer } = this.#arena;
    const text = (start: number | undefined, end: number | undefined): string =>
      buffer.toString("latin1", start, end);
    const fields = Array.from({ length: headers.count }, (_, i): PlainField => [
      text(headers.nameStart[i], headers.nameEnd[i]),
      text(headers.valueStart[i], headers.valueEnd[i]),
    ]);
    const pseudoHeaders = new Map<number, string>();
    for (const kind of Object.values(pseudo)) {
      const start = pseudoStart[kind] ?? -1;
      if (start >= 0) pseudoHeaders.set(kind, text(start, pseudoEnd[kind]));
    }
    return { isDecoded, isMalformed, isRefused, fields, pseudoHeaders };
  }
}

export class BlockEncoder {
  readonly #encoder: HpackEncoder;

  constructor({ tableBytes = 4096, usesHuffman = false } = {}) {
    this.#encoder = new HpackEncoder(tableBytes, usesHuffman);
  }

  setPeerLimit(bytes: number): void {
    this.#encoder.setPeerLimit(bytes);
  }

  /** `status` 0: none. */
  encode(fields: readonly PlainField[], status = 0): Uint8Array {
    const text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const bytes = Buffer.alloc(text.length * 2 + fields.length * 3 + 64);
    bytes.write(text, 0, "latin1");
    const end = this.#encoder.encode(bytes, { status, start: 0, end: text.length }, text.length);
    return bytes.subarray(text.length, end);
  }
}
