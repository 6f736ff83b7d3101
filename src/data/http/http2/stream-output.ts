/**
 * What goes out on an HTTP/2 connection, of either side: heads, bodies within both windows, and what waits for room in
 * them. A stream that waits has its source paused, so at most one read of it is kept.
 */
import type { Http2Options } from "../../../shared/config/http-config.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { Reactor, Socket } from "../../../shared/io/reactor.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { http2Stat } from "../stat-offsets.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { FrameWriter } from "./frame-writer.ts";
import { settingProblem } from "./frame-rules.ts";
import { defaultWindow, errorCode, frameSizeMin, setting, windowMax } from "./frames.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { metadataBlock } from "./metadata-block.ts";
import type { SendQueue } from "./send-queue.ts";

const lineFeed = 0x0a;

/** What it has of a stream. */
export interface OutputStream {
  readonly id: number;
  readonly queue: SendQueue;
  sendWindow: number;
  /** The peer has taken something last. */
  flushSinceMs: number;
}

/** Of a request, what its head does not say as HTTP/1 writes it. */
export interface AskedRequest {
  readonly isSecured: boolean;
  /** As in `upgrade.ts`. */
  readonly upgradeType: string;
}

export interface OutputParts {
  readonly reactor: Reactor;
  readonly socket: Socket;
  readonly options: Http2Options;
  readonly floods: FloodGuard;
  readonly onSent: (bytes: number) => void;
}

export class StreamOutput<Stream extends OutputStream> {
  readonly writer: FrameWriter;
  /** Of the connection. */
  sendWindow = defaultWindow;
  /** What the peer's SETTINGS give a new stream. */
  peerWindowBytes = defaultWindow;
  isFull = false;
  readonly #reactor: Reactor;
  readonly #options: Http2Options;
  readonly #encoder: HpackEncoder;
  readonly #floods: FloodGuard;
  /** Streams that have bytes for which there is no room. */
  readonly #blocked = new Set<Stream>();

  constructor({ reactor, socket, options, floods, onSent }: OutputParts) {
    this.#reactor = reactor;
    this.#options = options;
    this.#floods = floods;
    this.#encoder = new HpackEncoder(options.hpackTableBytes, options.usesHuffman);
    this.writer = new FrameWriter(reactor, socket, onSent);
  }

  /** Sends the response's head that the writer holds. */
  sendHead(stream: Stream, writer: HeadWriter, status: number, isEnd: boolean): void {
    let start = writer.start;
    while (writer.bytes[start] !== lineFeed) start++;
    // Without the status line, and the blank line at the end.
    const lines = { status, start: start + 1, end: writer.at - 2 };
    const target = { id: stream.id, isEnd, frameBytesMax: frameSizeMin };
    this.writer.head(target, this.#encoder, lines);
  }

  /** The same of a request. */
  sendRequest(stream: Stream, writer: HeadWriter, asked: AskedRequest, isEnd: boolean): void {
    const { start, framingStart: end } = writer;
    const target = { id: stream.id, isEnd, frameBytesMax: frameSizeMin };
    this.writer.requestHead(target, this.#encoder, { start, end, ...asked });
  }

  /** An interim head without fields. */
  sendInterim(stream: Stream, status: number): void {
    const target = { id: stream.id, isEnd: false, frameBytesMax: frameSizeMin };
    this.writer.head(target, this.#encoder, { status, start: 0, end: 0 });
  }

  /** Sends what the windows allow, and keeps the rest. False: something waits now. */
  sendBody(stream: Stream, { start, end, isEnd }: BodyPart): boolean {
    const { queue } = stream;
    let at = start;
    if (queue.isEmpty) {
      at = this.#sendAllowed(stream, { start, end, isEnd });
      if (at === end && (!isEnd || end > start)) return true;
    }
    if (at === end && queue.isEmpty) {
      this.writer.data(stream.id, end, end, isEnd);
      return true;
    }
    queue.add(this.writer.copyOf(at, end));
    queue.isEnd = isEnd;
    this.#blocked.add(stream);
    return false;
  }

  /** The lines arena[start, end) end the stream, behind what waits. False: they wait, too. */
  sendTrailers(stream: Stream, start: number, end: number): boolean {
    const { queue } = stream;
    if (queue.isEmpty) {
      this.#writeTrailers(stream, start, end);
      return true;
    }
    queue.trailers = this.writer.copyOf(start, end);
    return false;
  }

  /** At once: no window holds it, so it may overtake what waits of the body. */
  sendMetadata({ id }: Stream, metadata: Metadata): void {
    const block = metadataBlock(metadata);
    for (let at = 0; at < block.length; at += frameSizeMin) {
      const end = at + frameSizeMin;
      this.writer.metadata(id, block.subarray(at, end), end >= block.length);
    }
  }

  #writeTrailers({ id }: Stream, start: number, end: number): void {
    // There may be none left of those that came.
    if (start === end) this.writer.data(id, end, end, true);
    else {
      const target = { id, isEnd: true, frameBytesMax: frameSizeMin };
      this.writer.head(target, this.#encoder, { status: 0, start, end });
    }
  }

  /** As many frames as the windows allow; how far they came. */
  #sendAllowed(stream: Stream, { start, end, isEnd }: BodyPart): number {
    let at = start;
    while (at < end) {
      const size = Math.min(end - at, this.#room(stream));
      if (size <= 0) break;
      this.#take(stream, size);
      this.writer.data(stream.id, at, at + size, isEnd && at + size === end);
      at += size;
    }
    return at;
  }

  /** Windows have grown: waiting streams go on in turns. Calls for each that has nothing left. */
  pump(onEmpty: (stream: Stream) => void): void {
    let hasProgress = true;
    while (hasProgress) {
      hasProgress = false;
      for (const stream of this.#blocked) {
        if (!this.#sendNext(stream)) continue;
        hasProgress = true;
        if (!stream.queue.isEmpty) continue;
        this.#blocked.delete(stream);
        onEmpty(stream);
      }
    }
  }

  forget(stream: Stream): void {
    this.#blocked.delete(stream);
  }

  /** One setting of the peer's; the code of what is wrong with it. */
  onSetting(id: number, value: number, streams: Iterable<Stream>): number {
    const problem = settingProblem(id, value);
    if (problem !== errorCode.noError) return problem;
    if (id === setting.headerTableSize) this.#encoder.setPeerLimit(value);
    if (id !== setting.initialWindowSize) return errorCode.noError;
    const by = value - this.peerWindowBytes;
    this.peerWindowBytes = value;
    for (const stream of streams) {
      stream.sendWindow += by;
      if (stream.sendWindow > windowMax) return errorCode.flowControlError;
    }
    return errorCode.noError;
  }

  /** The peer does not read what it makes us say: tells which limit was reached. */
  boundFrames(onFlooded: (offset: number) => void): void {
    const { maxOutboundFrames, maxOutboundControlFrames } = this.#options;
    const { framesOut, controlFramesOut } = this.writer;
    if (controlFramesOut <= maxOutboundControlFrames && framesOut <= maxOutboundFrames) return;
    // It may be that nobody has been given the time to read them.
    this.writer.flushOutput();
    if (this.writer.framesOut === 0) return;
    const isControl = controlFramesOut > maxOutboundControlFrames;
    onFlooded(isControl ? http2Stat.outboundControlFlood : http2Stat.outboundFlood);
  }

  #sendNext(stream: Stream): boolean {
    const { queue } = stream;
    if (queue.bytes === 0 && queue.trailers !== undefined) {
      const { bytes, scratchStart: start } = this.#reactor.arena;
      const lines = queue.trailers;
      queue.trailers = undefined;
      bytes.set(lines, start);
      this.#writeTrailers(stream, start, start + lines.length);
      return true;
    }
    const isLastEmpty = queue.bytes === 0 && queue.isEnd;
    const size = isLastEmpty ? 0 : this.#room(stream);
    if (size <= 0 && !isLastEmpty) return false;
    const part = queue.take(size);
    stream.flushSinceMs = this.#reactor.nowMs;
    this.#take(stream, part.length);
    const isLast = queue.isEnd && queue.bytes === 0;
    if (isLast) queue.isEnd = false;
    this.writer.kept(stream.id, part, isLast);
    return true;
  }

  #room(stream: Stream): number {
    return Math.min(stream.sendWindow, this.sendWindow, frameSizeMin);
  }

  #take(stream: Stream, bytes: number): void {
    stream.sendWindow -= bytes;
    this.sendWindow -= bytes;
    this.#floods.dataFrameSent();
  }
}
