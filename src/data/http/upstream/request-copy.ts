/**
 * A request as it was composed, kept while it may have to be sent once more or for the
 * first time: it waits for a connection, its policy retries, or its connection may have died idle.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { BodyPart, UpstreamConnection } from "./upstream-request.ts";

const blockBytes = 4096;
/** Around a part of a body, for the chunked coding. */
const chunkRoom = 16;
/** Blocks kept for reuse; beyond that the collector has them. */
const freeBlocksMax = 256;

/** Blocks of one worker that are in no copy. */
export class CopyBlocks {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    if (bytes > blockBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
  }

  give(block: Buffer): void {
    if (block.length === blockBytes && this.#free.length < freeBlocksMax) this.#free.push(block);
  }
}

export class RequestCopy {
  readonly #blocks: CopyBlocks;
  #block: Buffer | undefined;
  /** Head, body and trailers, one behind the other. */
  #length = 0;
  #headLength = 0;
  /** Of the head, without the lines that frame the body for HTTP/1. */
  #framingAt = 0;
  #bodyEnd = 0;
  #isChunked = false;
  #isEnded = false;
  /** Sent once: with another try it does not go again, as in Envoy. Undefined: none, as nearly always. */
  #metadata: Metadata[] | undefined;

  constructor(blocks: CopyBlocks) {
    this.#blocks = blocks;
  }

  /** Bytes kept. */
  get length(): number {
    return this.#length;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** The head that the writer holds; it comes first. */
  addHead(writer: HeadWriter, isChunked: boolean): void {
    this.#append(writer.buffer, writer.start, writer.at);
    this.#headLength = this.#length;
    this.#framingAt = writer.framingStart - writer.start;
    this.#bodyEnd = this.#length;
    this.#isChunked = isChunked;
    this.#isEnded = false;
  }

  addBody(buffer: Buffer, { start, end, isEnd }: BodyPart): void {
    this.#append(buffer, start, end);
    this.#bodyEnd = this.#length;
    this.#isEnded = isEnd;
  }

  addTrailers(buffer: Buffer, start: number, end: number): void {
    this.#append(buffer, start, end);
    this.#isEnded = true;
  }

  addMetadata(metadata: Metadata): void {
    (this.#metadata ??= []).push(metadata);
  }

  /** Before the head, behind which it goes. */
  sendMetadata(connection: UpstreamConnection): void {
    if (this.#metadata === undefined) return;
    for (const metadata of this.#metadata) connection.sendMetadata(metadata);
    this.#metadata = undefined;
  }

  /** Sends everything through the scratch and staging windows, as far as it has come; the copy stays. */
  send(writer: HeadWriter, arena: Arena, connection: UpstreamConnection): void {
    const block = this.#block;
    if (block === undefined) return;
    const { start } = writer;
    block.copy(writer.buffer, start, 0, this.#headLength);
    writer.at = start + this.#headLength;
    writer.framingStart = start + this.#framingAt;
    const hasTrailers = this.#length > this.#bodyEnd;
    // What is chunked needs room around it.
    const bodyStart = writer.at + chunkRoom;
    const isEnd = this.#isEnded && !hasTrailers;
    const partMax = writer.capacity - this.#headLength - 2 * chunkRoom;
    let at = this.#headLength;
    do {
      const size = Math.min(this.#bodyEnd - at, partMax);
      const end = bodyStart + size;
      block.copy(writer.buffer, bodyStart, at, at + size);
      const part = { start: bodyStart, end, isEnd: isEnd && at + size === this.#bodyEnd };
      if (at === this.#headLength) connection.sendHead(writer, part, this.#isChunked);
      else connection.sendBody(part.start, part.end, part.isEnd);
      at += size;
    } while (at < this.#bodyEnd);
    if (!hasTrailers) return;
    block.copy(arena.buffer, arena.stagingStart, this.#bodyEnd, this.#length);
    connection.sendTrailers(arena.stagingStart, arena.stagingStart + this.#length - this.#bodyEnd);
  }

  clear(): void {
    this.#metadata = undefined;
    if (this.#block === undefined) return;
    this.#blocks.give(this.#block);
    this.#block = undefined;
    this.#length = 0;
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    const block = this.#withRoom(length);
    buffer.copy(block, this.#length, start, end);
    this.#length = length;
  }

  #withRoom(length: number): Buffer {
    const old = this.#block;
    if (old !== undefined && old.length >= length) return old;
    const block = this.#blocks.take(old === undefined ? length : length * 2);
    if (old !== undefined) {
      old.copy(block, 0, 0, this.#length);
      this.#blocks.give(old);
    }
    this.#block = block;
    return block;
  }
}
