/**
 * A body on its way through, in the framing of the message that it leaves in: as it is, or in chunks.
 *
 * What one would get wrong: what is framed is overwritten around its edges, and a part is good until the next one.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { chunkEncoder, lastChunk } from "./chunk-encoder.ts";
import type { HeadWriter } from "./head-writer.ts";
import { type ByteSink, sendJoined } from "./joined-bytes.ts";

/** Bytes of the arena, decoded or as they go out. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
}

/** Of a request. Each part is handed on as bytes, to be written with a head or without. */
export class FramedBody {
  readonly #part = { start: 0, end: 0, isEnd: false };
  isChunked = false;

  /** The decoded bytes[start, end) as they go out. */
  part(bytes: Uint8Array, start: number, end: number, isEnd: boolean): Part {
    const part = this.#part;
    part.start = start;
    part.end = end;
    part.isEnd = isEnd;
    if (!this.isChunked) return part;
    if (end > start) {
      chunkEncoder.encode(bytes, start, end, isEnd);
      part.start = chunkEncoder.start;
      part.end = chunkEncoder.end;
    } else if (isEnd) {
      // Nothing but the last chunk. What lies before was read; the scratch window may hold the head.
      part.start = start - lastChunk.length;
      bytes.set(lastChunk, part.start);
    }
    return part;
  }
}

/** Of a response. What it is written with is the thread's scratch window. */
export class ResponseSender {
  readonly #sink: ByteSink;
  readonly #writer: HeadWriter;
  readonly #arena: Arena;
  #isChunked = false;

  constructor(sink: ByteSink, writer: HeadWriter, arena: Arena) {
    this.#sink = sink;
    this.#writer = writer;
    this.#arena = arena;
  }

  /** The writer's head with the first part of the body, which may be empty. */
  sendHead(body: Part, isChunked: boolean): void {
    const writer = this.#writer;
    this.#isChunked = isChunked;
    if (!isChunked) sendJoined(this.#sink, writer, this.#arena, body);
    else if (body.end > body.start) {
      chunkEncoder.encode(this.#arena.bytes, body.start, body.end, body.isEnd);
      sendJoined(this.#sink, writer, this.#arena, chunkEncoder);
    } else {
      if (body.isEnd) writer.put(lastChunk);
      this.#sink.write(writer.start, writer.at);
    }
  }

  /** A further part. */
  sendBody(start: number, end: number, isEnd: boolean): void {
    if (!this.#isChunked) {
      if (end > start) this.#sink.write(start, end);
    } else if (end > start) {
      chunkEncoder.encode(this.#arena.bytes, start, end, isEnd);
      this.#sink.write(chunkEncoder.start, chunkEncoder.end);
    } else if (isEnd) this.#sendLastChunk();
  }

  #sendLastChunk(): void {
    const writer = this.#writer;
    writer.begin();
    writer.put(lastChunk);
    this.#sink.write(writer.start, writer.at);
  }
}
