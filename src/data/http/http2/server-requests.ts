/**
 * The streams of one client's connection and the requests on them: begun, fed, answered, given up.
 *
 * What a newcomer would get wrong: an answer may be complete within the call that feeds its request. The stream is
 * settled after that call, never inside it.
 */
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { StreamProgress } from "../../../shared/protocol/worker-event.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import { clientGone, resetByClient, resetByCodec } from "../request/abort.ts";
import type { ActiveRequestPool } from "../request/active-request-pool.ts";
import { never } from "../deadline-timer.ts";
import { takeExpectation } from "../request/expectation.ts";
import type { HttpContext } from "../http-context.ts";
import { requestHead } from "../http1/request-head.ts";
import { httpStat, http2Stat } from "../stat-offsets.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import { bodyBehind, type RestOfRead } from "./body-behind.ts";
import { makeChunkRoom } from "./chunk-room.ts";
import type { Flood, FloodGuard } from "./flood-guard.ts";
import { type ByteRange, errorCode, windowMax } from "./frames.ts";
import type { HeadOfBlock } from "./header-block.ts";
import { headBytesOf } from "../head-limits.ts";
import { HeaderStage, isTrailerBlock } from "./header-stage.ts";
import { holdRequest, resumeRequest } from "./held-request.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { MetadataDecoder } from "./metadata-decoder.ts";
import { readRequest, requestRows } from "./read-request.ts";
import { ServerStream, type StreamOwner } from "./server-stream.ts";
import type { StreamOutput } from "./stream-output.ts";
import { StreamTable } from "./stream-table.ts";

/** What it has of its connection. */
export interface RequestsOwner {
  readonly output: StreamOutput<ServerStream>;
  readonly floods: FloodGuard;
  /** The connection's window has that much room again. */
  release(bytes: number): void;
  fail(code: number, details: string): void;
  onFlood(flood: Flood | undefined): void;
  onStreamEnd(): void;
  decidesToClose(): void;
  atLatest(dueMs: number): void;
  /** Frames were written that nothing holds back. */
  boundFrames(): void;
}

interface Block {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class ServerRequests implements StreamOwner {
  readonly streamWindowBytes: number;
  lastId = 0;
  /** Streams that are opened now are refused: the connection ends (GOAWAY said so). */
  isFinal = false;
  readonly #context: HttpContext;
  readonly #pool: ActiveRequestPool;
  readonly #connection: DownstreamConnection;
  readonly #owner: RequestsOwner;
  readonly #stage: HeaderStage;
  readonly #decoder: HpackDecoder;
  readonly #streams = new StreamTable();
  /** The stream whose request is being called. */
  #fed: ServerStream | undefined;

  constructor(
    context: HttpContext,
    pool: ActiveRequestPool,
    connection: DownstreamConnection,
    owner: RequestsOwner,
  ) {
    const { http2 } = context.config;
    this.#context = context;
    this.#pool = pool;
    this.#connection = connection;
    this.#owner = owner;
    this.streamWindowBytes = http2.streamWindowBytes;
    this.#stage = new HeaderStage(context.reactor.arena);
    this.#decoder = new HpackDecoder(http2.hpackTableBytes);
  }

  get count(): number {
    return this.#streams.count;
  }

  get streams(): Iterable<ServerStream> {
    return this.#streams.values();
  }

  get isOutputFull(): boolean {
    return this.#owner.output.isFull;
  }

  get peerWindowBytes(): number {
    return this.#owner.output.peerWindowBytes;
  }

  /**
   * A whole header block: a request, or trailers. `rest`: what lies behind it in the read; returns how far it was
   * used, since a body that came with its head is sent with it.
   */
  onHeaders(head: HeadOfBlock, block: Block, rest: RestOfRead): number {
    const { maxRequestHeadersKb, maxRequestHeadersCount } = this.#context.config;
    const bytesMax = headBytesOf(maxRequestHeadersKb);
    this.#stage.begin({ bytesMax, countMax: maxRequestHeadersCount }, requestRows);
    if (!this.#decoder.decode(block.bytes, block.start, block.end, this.#stage)) {
      this.#owner.fail(errorCode.compressionError, "compression");
      return rest.at;
    }
    this.#stage.finish();
    const stream = this.#streams.get(head.id);
    if (stream !== undefined) this.#onTrailers(stream, head);
    else if (this.#mayOpen(head)) return this.#open(head, rest);
    return rest.at;
  }

  /** `flowBytes`: with the padding. */
  onData(
    id: number,
    data: ByteRange,
    frame: { readonly flowBytes: number; readonly isEnd: boolean },
  ): void {
    const { flowBytes, isEnd } = frame;
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.isRequestComplete || stream.request === undefined) {
      this.#owner.release(flowBytes);
      this.#onStrayData(id, stream);
      return;
    }
    if (!stream.receiveWindow.receive(flowBytes)) {
      this.reset(stream, errorCode.flowControlError, "http2.flow_control");
      return;
    }
    this.#takeBody(stream, data, isEnd);
    stream.consumed(flowBytes);
  }

  /** What is no request under way hears nothing of it, as in Envoy. */
  onMetadata(id: number, part: Uint8Array, isEnd: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.isRequestComplete || stream.request === undefined) return;
    stream.metadata ??= new MetadataDecoder(this.#context.config.http2.maxMetadataBytes);
    const metadata = stream.metadata.take(part, isEnd);
    if (metadata === undefined) return;
    if (metadata === "broken") this.#owner.fail(errorCode.protocolError, "metadata");
    else if (metadata.size === 0) this.#context.countHttp2(http2Stat.metadataEmptyFrames);
    else this.#takeMetadata(stream, metadata);
  }

  onReset(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) this.#owner.fail(errorCode.protocolError, "idle_stream");
      return;
    }
    this.#context.countHttp2(http2Stat.rxReset);
    const ageMs = this.#context.reactor.nowMs - stream.startMs;
    stream.request?.abort(resetByClient);
    this.#close(stream);
    this.#owner.onFlood(this.#owner.floods.onStreamEnd(true, ageMs));
  }

  onWindowUpdate(id: number, increment: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) this.#owner.fail(errorCode.protocolError, "idle_stream");
      return;
    }
    if (increment === 0) {
      this.reset(stream, errorCode.protocolError, "http2.window_update");
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > windowMax) {
      this.reset(stream, errorCode.flowControlError, "http2.flow_control");
    } else this.pump();
  }

  /** Windows may have grown. */
  pump(): void {
    this.#owner.output.pump((stream) => {
      if (stream.isResponseOver) this.#settle(stream);
      else if (!this.isOutputFull) stream.request?.setResponseReading(true);
    });
  }

  setResponseReading(on: boolean): void {
    for (const stream of this.#streams.values()) {
      if (!on || stream.queue.isEmpty) stream.request?.setResponseReading(on);
    }
  }

  /** A head did not come whole in time (`request_headers_timeout`). What comes of it yet is read, and forgotten. */
  onHeadOverdue(id: number): void {
    const isFull = this.#streams.count >= this.#context.config.http2.maxConcurrentStreams;
    // Trailers are no head, and what would be refused is not answered.
    if (id <= this.lastId || (id & 1) === 0 || this.isFinal || isFull) return;
    this.lastId = id;
    this.#context.count(httpStat.rqHeaderTimeout);
    this.#add(id).request?.refuse("headerTimeout");
  }

  /** WebSockets hear of it, too. */
  onDrain(drain: DrainStart): void {
    for (const stream of this.#streams.values()) stream.request?.onDrain(drain);
  }

  /** Gives the stream up, for what its client sent or because it has to end. */
  reset(stream: ServerStream, code: number, details: string): void {
    stream.request?.abort(resetByCodec(details));
    this.#resetStream(stream, code);
  }

  /** As `reset`; a stream that is not open is told all the same. */
  resetId(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.reset(stream, code, "http2.protocol_error");
    else this.#sendReset(id, code);
  }

  /** The client has gone. */
  abandonAll(): void {
    for (const stream of this.#streams.values()) {
      stream.request?.abort(clientGone);
      this.#close(stream);
    }
  }

  /** All of it makes no sense any more. */
  failAll(details: string): void {
    for (const stream of this.#streams.values()) {
      stream.request?.abort(resetByCodec(details));
      this.#close(stream);
    }
  }

  nextDeadlineMs(): number {
    let dueMs = never;
    for (const stream of this.#streams.values()) dueMs = Math.min(dueMs, this.#dueMs(stream));
    return dueMs;
  }

  onDeadline(nowMs: number): void {
    for (const stream of this.#streams.values()) {
      if (nowMs < this.#dueMs(stream)) continue;
      if (stream.request !== undefined) stream.request.onDeadline(nowMs);
      else {
        this.#context.countHttp2(http2Stat.txFlushTimeout);
        this.#resetStream(stream, errorCode.cancel);
      }
    }
  }

  progress(): StreamProgress | undefined {
    return this.#streams.progress();
  }

  /** Of a response that is over but for what its client takes no part of: Envoy's `stream_flush_timeout`. */
  #dueMs({ request, flushSinceMs }: ServerStream): number {
    if (request !== undefined) return request.nextDeadlineMs();
    const { streamIdleTimeoutMs } = this.#context.config;
    return streamIdleTimeoutMs === 0 ? never : flushSinceMs + streamIdleTimeoutMs;
  }

  // What streams ask for.

  sendHead(stream: ServerStream, body: BodyPart): void {
    const { output } = this.#owner;
    const hasBody = body.end > body.start;
    const code = stream.request?.info.responseCode ?? 0;
    // An upgrade is granted as CONNECT is (RFC 8441 §5): 101 is none of HTTP/2's.
    const status = code === 101 ? 200 : code;
    output.sendHead(stream, this.#context.writer, status, body.isEnd && !hasBody);
    if (hasBody) this.sendBody(stream, body);
  }

  sendBody(stream: ServerStream, part: BodyPart): void {
    if (part.end === part.start && !part.isEnd) return;
    if (!this.#owner.output.sendBody(stream, part)) stream.request?.setResponseReading(false);
  }

  sendMetadata(stream: ServerStream, metadata: Metadata): void {
    if (!this.#context.config.http2.allowsMetadata) return;
    this.#owner.output.sendMetadata(stream, metadata);
    this.#owner.boundFrames();
  }

  sendTrailers(stream: ServerStream, start: number, end: number): void {
    this.#owner.output.sendTrailers(stream, start, end);
  }

  onResponseEnd(stream: ServerStream): void {
    if (stream !== this.#fed) this.#settle(stream);
  }

  /** The head is out, so all that is left to say is that there will be no end. */
  onResponseBroken(stream: ServerStream): void {
    if (stream !== this.#fed) this.#resetStream(stream, errorCode.internalError);
    else this.#sendReset(stream.id, errorCode.internalError);
  }

  onWaitEnd(stream: ServerStream): void {
    this.#context.reactor.atRoundEnd(() => this.#resume(stream));
  }

  release(stream: ServerStream, bytes: number): void {
    this.#owner.release(bytes);
    if (stream.isRequestComplete) return;
    const increment = stream.receiveWindow.release(bytes);
    if (increment > 0) this.#owner.output.writer.windowUpdate(stream.id, increment);
  }

  onReadingChanged(on: boolean): void {
    this.#context.count(on ? httpStat.resumedReading : httpStat.pausedReading);
  }

  decidesToClose(): void {
    this.#owner.decidesToClose();
  }

  atLatest(dueMs: number): void {
    this.#owner.atLatest(dueMs);
  }

  /** Whether HEADERS of a stream that is not open open it (§5.1.1). */
  #mayOpen({ id }: HeadOfBlock): boolean {
    if ((id & 1) === 0) this.#owner.fail(errorCode.protocolError, "stream_id");
    else if (id > this.lastId) return true;
    else if (!this.#streams.wasReset(id)) this.#owner.fail(errorCode.streamClosed, "stream_closed");
    return false;
  }

  #open(head: HeadOfBlock, rest: RestOfRead): number {
    const { id, isEnd } = head;
    // Beyond the last id of the final GOAWAY: the client knows that it may send it elsewhere.
    if (this.isFinal) return rest.at;
    this.lastId = id;
    if (this.#streams.count >= this.#context.config.http2.maxConcurrentStreams) {
      this.#context.countHttp2(http2Stat.streamRefused);
      this.#sendReset(id, errorCode.refusedStream);
      return rest.at;
    }
    const stream = this.#add(id);
    if (head.isSelfDependent) return this.#refuse(stream, rest.at);
    const { isMalformed, isTooLarge, hasTooMany } = this.#stage;
    if (!isMalformed && (isTooLarge || hasTooMany)) return this.#refuseLarge(stream, rest.at);
    if (!readRequest(this.#stage, isEnd, this.#context.config.http2.allowsConnect))
      return this.#refuse(stream, rest.at);
    stream.bodyLeft = requestHead.fields.contentLength;
    return this.#begin(stream, isEnd, rest);
  }

  #add(id: number): ServerStream {
    const stream = new ServerStream(this, id, this.#context.reactor.nowMs);
    this.#streams.add(stream);
    this.#owner.floods.streamOpened();
    this.#context.addHttp2(http2Stat.streamsActive, 1);
    stream.request = this.#pool.take(this.#connection, stream);
    return stream;
  }

  #begin(stream: ServerStream, isEnd: boolean, rest: RestOfRead): number {
    const { request } = stream;
    if (request === undefined) return rest.at;
    stream.isRequestComplete = isEnd;
    const { bytes } = this.#context.reactor.arena;
    const body = isEnd ? undefined : bodyBehind(bytes, stream, rest);
    if (body?.isEnd === true) stream.isRequestComplete = true;
    if (takeExpectation(bytes) && !stream.isRequestComplete) {
      this.#owner.output.sendInterim(stream, 100);
    }
    this.#fed = stream;
    request.begin();
    if (request.isWaiting) holdRequest(stream, this.#context.writer, body);
    else if (body === undefined) request.send(rest.at, rest.at, isEnd);
    else {
      const { isChunked } = requestHead.fields;
      const shift = isChunked ? makeChunkRoom(bytes, body.start, body.end) : 0;
      request.send(body.start - shift, body.end - shift, body.isEnd);
    }
    this.#afterFeed(stream);
    if (stream.request !== undefined) this.#owner.atLatest(stream.request.nextDeadlineMs());
    if (body === undefined) return rest.at;
    stream.consumed(body.end - body.start);
    return body.end;
  }

  #takeBody(stream: ServerStream, { start, end }: ByteRange, isEnd: boolean): void {
    if (stream.bodyLeft >= 0) {
      stream.bodyLeft -= end - start;
      if (stream.bodyLeft < 0 || (isEnd && stream.bodyLeft > 0)) {
        this.#malformed(stream);
        return;
      }
    }
    stream.isRequestComplete = isEnd;
    if (stream.held !== undefined) {
      stream.held.body.add(this.#owner.output.writer.copyOf(start, end));
      stream.held.body.isEnd = isEnd;
      return;
    }
    // Of one without a length it is not known here any more whether it goes in chunks; the room costs a copy.
    const { bytes } = this.#context.reactor.arena;
    const shift = stream.bodyLeft < 0 ? makeChunkRoom(bytes, start, end) : 0;
    this.#fed = stream;
    stream.request?.sendBody(start - shift, end - shift, isEnd);
    this.#afterFeed(stream);
  }

  #takeMetadata(stream: ServerStream, metadata: Metadata): void {
    if (stream.held !== undefined) {
      stream.held.metadata.push(metadata);
      return;
    }
    this.#fed = stream;
    stream.request?.sendMetadata(metadata);
    this.#afterFeed(stream);
  }

  /** Trailers end the request. */
  #onTrailers(stream: ServerStream, { isEnd, isSelfDependent }: HeadOfBlock): void {
    if (stream.isRequestComplete) {
      this.reset(stream, errorCode.streamClosed, "http2.stream_closed");
      return;
    }
    this.#context.countHttp2(http2Stat.trailers);
    const isWhole = isEnd && !isSelfDependent && stream.bodyLeft <= 0;
    if (!isWhole || !isTrailerBlock(this.#stage, requestRows)) this.#malformed(stream);
    else this.#takeTrailers(stream);
  }

  #takeTrailers(stream: ServerStream): void {
    const { start, at: end } = this.#stage;
    stream.isRequestComplete = true;
    if (stream.held !== undefined) {
      stream.held.body.trailers = this.#owner.output.writer.copyOf(start, end);
      return;
    }
    this.#fed = stream;
    stream.request?.sendTrailers(start, end);
    this.#afterFeed(stream);
  }

  #onStrayData(id: number, stream: ServerStream | undefined): void {
    if (id > this.lastId) this.#owner.fail(errorCode.protocolError, "idle_stream");
    else if (stream !== undefined && stream.isRequestComplete) {
      this.reset(stream, errorCode.streamClosed, "http2.stream_closed");
    } else if (stream === undefined && !this.#streams.wasReset(id)) {
      this.#sendReset(id, errorCode.streamClosed);
    }
  }

  /** What RFC 9113 §8.1.1 calls malformed. */
  #malformed(stream: ServerStream): void {
    this.#context.countHttp2(http2Stat.rxMessagingError);
    this.reset(stream, errorCode.protocolError, "http2.violation.of.messaging.rule");
  }

  #refuse(stream: ServerStream, at: number): number {
    stream.request?.refuseSilently();
    this.#malformed(stream);
    if (!this.#context.config.http2.streamErrorOnInvalidMessage) {
      this.#owner.fail(errorCode.protocolError, "http2.violation.of.messaging.rule");
    }
    return at;
  }

  #refuseLarge(stream: ServerStream, at: number): number {
    this.#context.countHttp2(http2Stat.headerOverflow);
    stream.request?.refuseSilently();
    const details = this.#stage.isTooLarge ? "header_list_size_too_large" : "too_many_headers";
    this.reset(stream, errorCode.internalError, `http2.${details}`);
    return at;
  }

  #resume(stream: ServerStream): void {
    if (stream.request?.isWaiting !== true) return;
    this.#fed = stream;
    resumeRequest(stream, this.#context.reactor.arena);
    this.#afterFeed(stream);
  }

  #afterFeed(stream: ServerStream): void {
    this.#fed = undefined;
    if (stream.isResponseOver) this.#settle(stream);
  }

  /** The response is over: the stream ends with its last byte. */
  #settle(stream: ServerStream): void {
    this.#releaseRequest(stream);
    if (stream.isReset) {
      this.#close(stream);
      return;
    }
    if (!stream.queue.isEmpty) {
      stream.flushSinceMs = this.#context.reactor.nowMs;
      this.#owner.atLatest(this.#dueMs(stream));
      return;
    }
    // The rest of the request is of no interest (§8.1).
    if (!stream.isRequestComplete) this.#sendReset(stream.id, errorCode.noError);
    this.#close(stream);
    this.#owner.floods.onStreamEnd(false, 0);
  }

  #resetStream(stream: ServerStream, code: number): void {
    this.#sendReset(stream.id, code);
    this.#close(stream);
    this.#owner.floods.onStreamEnd(false, 0);
  }

  #sendReset(id: number, code: number): void {
    this.#context.countHttp2(http2Stat.txReset);
    this.#owner.output.writer.rstStream(id, code);
    this.#streams.noteReset(id);
  }

  #close(stream: ServerStream): void {
    if (!this.#streams.remove(stream)) return;
    this.#context.addHttp2(http2Stat.streamsActive, -1);
    this.#owner.output.forget(stream);
    this.#releaseRequest(stream);
    const heldBack = stream.takeHeldBack();
    stream.isRequestComplete = true;
    if (heldBack > 0) this.#owner.release(heldBack);
    this.#owner.onStreamEnd();
  }

  #releaseRequest(stream: ServerStream): void {
    const { request } = stream;
    if (request === undefined) return;
    stream.request = undefined;
    this.#pool.give(request);
  }
}
