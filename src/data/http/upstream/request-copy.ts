/**
 * The bytes of a request as they go upstream, kept while it may have to be sent once more or for the
 * first time: it waits for a connection, its policy retries, or its connection may have died idle.
 */
import type { HeadWriter } from "../http1/head-writer.ts";
import type { UpstreamConnection } from "./upstream-request.ts";

const blockBytes = 4096;
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
  #length = 0;

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

  /** Adds a copy of buffer[start, end). */
  append(buffer: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    const block = this.#withRoom(length);
    buffer.copy(block, this.#length, start, end);
    this.#length = length;
  }

  /** Sends everything through the scratch window; the copy stays. */
  send(writer: HeadWriter, connection: UpstreamConnection): void {
    const block = this.#block;
    if (block === undefined) return;
    for (let at = 0; at < this.#length; at += writer.capacity) {
      const end = Math.min(this.#length, at + writer.capacity);
      block.copy(writer.buffer, writer.start, at, end);
      connection.write(writer.start, writer.start + end - at);
    }
  }

  clear(): void {
    if (this.#block === undefined) return;
    this.#blocks.give(this.#block);
    this.#block = undefined;
    this.#length = 0;
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
