/**
 * A message on its way out over HTTP/1: its head, and its body as it is or in chunks, in whatever pieces it comes.
 *
 * What one would get wrong: what is chunked is overwritten around its edges.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { latin1 } from "./ascii.ts";
import { chunkEncoder, lastChunk } from "./chunk-encoder.ts";
import type { HeadWriter } from "./head-writer.ts";
import { type ByteSink, sendJoined } from "./joined-bytes.ts";

/** Decoded bytes of the arena. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
}

/** Before trailers; the blank line behind them ends the body. */
const zeroChunk = latin1("0\r\n");

/** What it writes beside heads goes through the thread's scratch window, too. */
export class MessageSender {
  readonly #sink: ByteSink;
  readonly #writer: HeadWriter;
  readonly #arena: Arena;
  #isChunked = false;

  constructor(sink: ByteSink, writer: HeadWriter, arena: Arena) {
    this.#sink = sink;
    this.#writer = writer;
    this.#arena = arena;
  }

  /** The head that `writer` holds with the first part of the body, which may be empty. */
  sendHead(writer: HeadWriter, body: Part, isChunked: boolean): void {
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

  /** The lines arena[start, end), and the end. A body with a length has no place for them (RFC 9112 §7.1.2). */
  sendTrailers(start: number, end: number): void {
    if (!this.#isChunked) return;
    const writer = this.#writer;
    writer.begin();
    writer.put(zeroChunk);
    writer.copy(start, end);
    writer.endLine();
    this.#sink.write(writer.start, writer.at);
  }

  #sendLastChunk(): void {
    const writer = this.#writer;
    writer.begin();
    writer.put(lastChunk);
    this.#sink.write(writer.start, writer.at);
  }
}
