/** Sends responses in the form of HTTP/1.1: the head and the first bytes in one call, bodies of no known length in chunks. */
import type { Arena } from "../../../shared/io/arena.ts";
import { chunkEncoder, lastChunk } from "./chunk-encoder.ts";
import type { HeadWriter } from "./head-writer.ts";
import { type ByteSink, sendJoined } from "./joined-bytes.ts";

interface SentPart {
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
}

export class ResponseSender {
  readonly #sink: ByteSink;
  readonly #arena: Arena;
  readonly #writer: HeadWriter;
  #isChunked = false;

  constructor(sink: ByteSink, arena: Arena, writer: HeadWriter) {
    this.#sink = sink;
    this.#arena = arena;
    this.#writer = writer;
  }

  /** Sends the head that the writer holds, with the first part of the body. */
  sendHead(body: SentPart, isChunked: boolean): void {
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
