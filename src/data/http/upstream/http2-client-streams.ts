/**
 * The requests on one HTTP/2 connection to a host: sent, answered, reset, given up.
 *
 * What a newcomer would get wrong: a request may be told of its end from within any call here, and take another stream,
 * so a stream is off the map before its request learns anything.
 */
import { headBytesOf } from "../head-limits.ts";
import { responseHead } from "../http1/response-head.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { makeChunkRoom } from "../http2/chunk-room.ts";
import type { FloodGuard } from "../http2/flood-guard.ts";
import { type ByteRange, errorCode, streamIdMax, windowMax } from "../http2/frames.ts";
import type { HeadOfBlock } from "../http2/header-block.ts";
import { HeaderStage, isTrailerBlock, type StageLimits } from "../http2/header-stage.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { MetadataDecoder } from "../http2/metadata-decoder.ts";
import { readResponse } from "../http2/read-response.ts";
import type { StreamOutput } from "../http2/stream-output.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { Socket } from "../../../shared/io/reactor.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { clusterStat, http2Stat } from "../stat-offsets.ts";
import { connectType, isGranted, noUpgrade } from "../request/upgrade.ts";
import type { ConnectionCounts } from "./connection-counts.ts";
import { type ClientStreamOwner, Http2ClientStream } from "./http2-client-stream.ts";
import type { ConnectionOwner } from "./pooled-connection.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { BodyPart, UpstreamRequest } from "./upstream-request.ts";

/** What a host's RST_STREAM says, by its code; all others say that it was reset. */
const remoteResets: Readonly<Record<number, ResetReason>> = {
  [errorCode.protocolError]: "protocolError",
  [errorCode.refusedStream]: "refusedStream",
  [errorCode.connectError]: "connectError",
};

/** What it has of its connection. */
export interface StreamsOwner {
  readonly connection: { readonly socket: Socket };
  readonly output: StreamOutput<Http2ClientStream>;
  readonly floods: FloodGuard;
  readonly counts: ConnectionCounts;
  /** The connection's window has that much room again. */
  release(bytes: number): void;
  fail(code: number): void;
  onStreamEnd(): void;
  /** Frames were written that nothing holds back. */
  boundFrames(): void;
}

export class Http2ClientStreams implements ClientStreamOwner {
  readonly host: UpstreamHost;
  readonly streamWindowBytes: number;
  /** Streams it has opened. */
  requestCount = 0;
  readonly #pool: ConnectionOwner;
  readonly #owner: StreamsOwner;
  readonly #stage: HeaderStage;
  readonly #decoder: HpackDecoder;
  readonly #limits: StageLimits;
  readonly #streams = new Map<number, Http2ClientStream>();
  /** The first part of a response's body; filled anew for each. */
  readonly #body = { start: 0, end: 0, isEnd: false, contentLength: -1 };
  #nextId = 1;
  #isEndNoted = false;
  readonly #tellEnd = (): void => {
    this.#isEndNoted = false;
    this.#owner.onStreamEnd();
  };

  constructor(pool: ConnectionOwner, owner: StreamsOwner) {
    const { http2, maxResponseHeadersKb, maxResponseHeadersCount } = pool.host.cluster.config;
    this.#pool = pool;
    this.#owner = owner;
    this.host = pool.host;
    this.streamWindowBytes = http2.streamWindowBytes;
    this.#stage = new HeaderStage(pool.environment.reactor.arena);
    this.#decoder = new HpackDecoder(http2.hpackTableBytes);
    this.#limits = {
      bytesMax: headBytesOf(maxResponseHeadersKb),
      countMax: maxResponseHeadersCount,
    };
  }

  get count(): number {
    return this.#streams.size;
  }

  get all(): Iterable<Http2ClientStream> {
    return this.#streams.values();
  }

  /** Ids are used up. */
  get isExhausted(): boolean {
    return this.#nextId > streamIdMax;
  }

  get socket(): Socket {
    return this.#owner.connection.socket;
  }

  get isOutputFull(): boolean {
    return this.#owner.output.isFull;
  }

  get peerWindowBytes(): number {
    return this.#owner.output.peerWindowBytes;
  }

  open(request: UpstreamRequest): Http2ClientStream {
    this.requestCount++;
    const stream = new Http2ClientStream(this, this.#nextId, request);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#owner.floods.streamOpened();
    this.#owner.counts.addHttp2(http2Stat.streamsActive, 1);
    return stream;
  }

  // What the host sends.

  onHeaders(head: HeadOfBlock, bytes: Uint8Array, start: number, end: number): void {
    this.#stage.begin(this.#limits, 0);
    if (!this.#decoder.decode(bytes, start, end, this.#stage)) {
      this.#owner.fail(errorCode.compressionError);
      return;
    }
    this.#stage.finish();
    const stream = this.#streams.get(head.id);
    if (stream === undefined) this.#onStray(head.id);
    else if (stream.hasHead) this.#onTrailers(stream, head.isEnd);
    else this.#onHead(stream, head.isEnd);
  }

  /** `flowBytes`: with the padding. */
  onData(
    id: number,
    { start, end }: ByteRange,
    { flowBytes, isEnd }: { readonly flowBytes: number; readonly isEnd: boolean },
  ): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#owner.release(flowBytes);
      this.#onStray(id);
      return;
    }
    if (!stream.receiveWindow.receive(flowBytes)) {
      this.#owner.release(flowBytes);
      this.#reset(stream, errorCode.flowControlError, "protocolError");
      return;
    }
    if (!stream.hasHead) {
      this.#owner.fail(errorCode.protocolError);
      return;
    }
    if (!this.#fits(stream, end - start, isEnd)) {
      this.#owner.release(flowBytes);
      this.#reset(stream, errorCode.protocolError, "protocolError");
      return;
    }
    const { request } = stream;
    if (isEnd) this.#finish(stream);
    // Its client may get it in chunks.
    const { bytes } = this.#pool.environment.reactor.arena;
    const shift = stream.bodyLeft < 0 ? makeChunkRoom(bytes, start, end) : 0;
    if (isEnd || end > start) request?.onResponseBody(start - shift, end - shift, isEnd);
    stream.consumed(flowBytes);
  }

  /** What is no response under way hears nothing of it, as in Envoy. */
  onMetadata(id: number, part: Uint8Array, isEnd: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.metadata ??= new MetadataDecoder(this.host.cluster.config.http2.maxMetadataBytes);
    const metadata = stream.metadata.take(part, isEnd);
    if (metadata === undefined) return;
    if (metadata === "broken") this.#owner.fail(errorCode.protocolError);
    else if (metadata.size === 0) this.#owner.counts.countHttp2(http2Stat.metadataEmptyFrames);
    else stream.request?.onResponseMetadata(metadata);
  }

  onReset(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#onStray(id);
      return;
    }
    this.#owner.counts.countHttp2(http2Stat.rxReset);
    this.#end(stream, remoteResets[code] ?? "remoteReset");
  }

  onWindowUpdate(id: number, increment: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#onStray(id);
      return;
    }
    stream.sendWindow += increment;
    if (increment === 0) this.#reset(stream, errorCode.protocolError, "protocolError");
    else if (stream.sendWindow > windowMax)
      this.#reset(stream, errorCode.flowControlError, "protocolError");
    else this.pump();
  }

  /** Windows may have grown. */
  pump(): void {
    this.#owner.output.pump((stream) => stream.updateFull());
  }

  updateFull(): void {
    for (const stream of this.#streams.values()) stream.updateFull();
  }

  /** The host has not looked at streams after `lastId`, and will not. */
  failBeyond(lastId: number): void {
    for (const stream of this.#streams.values()) {
      if (stream.id > lastId) this.#end(stream, "refusedStream");
    }
  }

  failAll(reason: ResetReason, isByUs: boolean): void {
    const isConnectionsEnd = reason === "connectionTermination";
    if (isConnectionsEnd && this.#streams.size > 0) this.#owner.counts.destroyedWithRequest(isByUs);
    for (const stream of this.#streams.values()) this.#end(stream, reason);
  }

  // What streams ask for.

  sendHead(stream: Http2ClientStream, writer: HeadWriter, body: BodyPart): void {
    const hasBody = body.end > body.start;
    const { isSecured = false, upgradeType = noUpgrade } = stream.request?.form ?? {};
    const asked = { isSecured, upgradeType };
    const { earlyMetadata } = stream;
    const isAlone = !hasBody && earlyMetadata === undefined;
    this.#owner.output.sendRequest(stream, writer, asked, body.isEnd && isAlone);
    if (earlyMetadata !== undefined) this.#sendEarly(stream, earlyMetadata);
    if (!isAlone) this.sendBody(stream, body);
  }

  sendBody(stream: Http2ClientStream, part: BodyPart): void {
    if (part.end === part.start && !part.isEnd) return;
    if (!this.#owner.output.sendBody(stream, part)) stream.updateFull();
  }

  #sendEarly(stream: Http2ClientStream, early: readonly Metadata[]): void {
    stream.earlyMetadata = undefined;
    if (!this.host.cluster.config.http2.allowsMetadata) return;
    for (const metadata of early) this.#owner.output.sendMetadata(stream, metadata);
  }

  sendMetadata(stream: Http2ClientStream, metadata: Metadata): void {
    if (!this.host.cluster.config.http2.allowsMetadata) return;
    this.#owner.output.sendMetadata(stream, metadata);
    this.#owner.boundFrames();
  }

  sendTrailers(stream: Http2ClientStream, start: number, end: number): void {
    this.#owner.output.sendTrailers(stream, start, end);
  }

  /** The request is not interested any more. */
  abandon(stream: Http2ClientStream): void {
    if (!this.#streams.has(stream.id)) return;
    this.#owner.counts.count(clusterStat.rqTxReset);
    this.#sendReset(stream, errorCode.cancel);
    this.#forget(stream);
  }

  release(stream: Http2ClientStream, bytes: number): void {
    this.#owner.release(bytes);
    if (!this.#streams.has(stream.id)) return;
    const increment = stream.receiveWindow.release(bytes);
    if (increment > 0) this.#owner.output.writer.windowUpdate(stream.id, increment);
  }

  onReadingChanged(on: boolean): void {
    this.#owner.counts.count(on ? clusterStat.resumedReading : clusterStat.pausedReading);
  }

  #onHead(stream: Http2ClientStream, isEnd: boolean): void {
    const { request } = stream;
    if (this.#stage.isTooLarge || this.#stage.hasTooMany) {
      const { headerListSizeTooLarge, headerOverflow } = http2Stat;
      const stat = this.#stage.isTooLarge ? headerListSizeTooLarge : headerOverflow;
      this.#owner.counts.countHttp2(stat);
      this.#reset(stream, errorCode.internalError, "remoteReset");
      return;
    }
    if (!readResponse(this.#stage, isEnd)) return this.#malformed(stream);
    stream.hasAnswered = true;
    // Interim responses are for us: the client got its 100 from us already (RFC 9110 §15.2).
    if (responseHead.status < 200) return this.#owner.counts.interim(responseHead.status);
    const isTunnel = takeGrant(request?.form.upgradeType ?? noUpgrade);
    const contentLength = isTunnel ? -1 : responseHead.fields.contentLength;
    stream.hasHead = true;
    stream.isBodyless =
      !isTunnel && (request?.form.isHeadRequest === true || responseHead.isBodyless);
    stream.bodyLeft = stream.isBodyless ? 0 : contentLength;
    if (isEnd && stream.bodyLeft > 0) return this.#malformed(stream);
    const body = this.#body;
    body.start = this.#stage.at;
    body.end = this.#stage.at;
    body.isEnd = isEnd;
    body.contentLength = contentLength;
    if (isEnd) this.#finish(stream);
    request?.onResponseHead(body);
  }

  #onTrailers(stream: Http2ClientStream, isEnd: boolean): void {
    if (!isEnd || stream.bodyLeft > 0 || !isTrailerBlock(this.#stage, 0))
      return this.#malformed(stream);
    const { request } = stream;
    this.#finish(stream);
    request?.onResponseTrailers(this.#stage.start, this.#stage.at);
  }

  /** Counts a part of the body against its length. */
  #fits(stream: Http2ClientStream, bytes: number, isEnd: boolean): boolean {
    if (stream.bodyLeft < 0) return true;
    stream.bodyLeft -= bytes;
    return stream.bodyLeft >= 0 && !(isEnd && stream.bodyLeft > 0);
  }

  /** A frame of a stream that is not open: late, which is no fault, unless the stream never was (§5.1). */
  #onStray(id: number): void {
    if ((id & 1) === 0 || id >= this.#nextId) this.#owner.fail(errorCode.protocolError);
  }

  /** What RFC 9113 §8.1.1 calls malformed. */
  #malformed(stream: Http2ClientStream): void {
    this.#owner.counts.countHttp2(http2Stat.rxMessagingError);
    if (this.host.cluster.config.http2.streamErrorOnInvalidMessage)
      this.#reset(stream, errorCode.protocolError, "protocolError");
    else this.#owner.fail(errorCode.protocolError);
  }

  #reset(stream: Http2ClientStream, code: number, reason: ResetReason): void {
    this.#sendReset(stream, code);
    this.#end(stream, reason);
  }

  #sendReset(stream: Http2ClientStream, code: number): void {
    this.#owner.counts.countHttp2(http2Stat.txReset);
    this.#owner.output.writer.rstStream(stream.id, code);
  }

  /** The response is whole: the rest of the request is of no interest. */
  #finish(stream: Http2ClientStream): void {
    if (!stream.isRequestSent || !stream.queue.isEmpty) {
      this.#owner.counts.count(clusterStat.rqTxReset);
      this.#sendReset(stream, errorCode.noError);
    }
    this.#forget(stream);
  }

  #end(stream: Http2ClientStream, reason: ResetReason): void {
    const { request } = stream;
    this.#owner.counts.requestReset(reason);
    this.#forget(stream);
    request?.onUpstreamReset(reason);
  }

  #forget(stream: Http2ClientStream): void {
    if (!this.#streams.delete(stream.id)) return;
    const { request } = stream;
    stream.request = undefined;
    this.#owner.output.forget(stream);
    this.#owner.counts.addHttp2(http2Stat.streamsActive, -1);
    this.#owner.counts.requestEnded();
    request?.breakers.release("requests");
    const heldBack = stream.takeHeldBack();
    if (heldBack > 0) this.#owner.release(heldBack);
    // At the end of the round: the request has not had its last bytes yet, and no other may come between.
    if (this.#isEndNoted) return;
    this.#isEndNoted = true;
    this.#pool.environment.reactor.atRoundEnd(this.#tellEnd);
  }
}

/** Whether the response's head grants what was asked for; an upgrade's 200 (RFC 8441 §5) becomes the 101 of HTTP/1. */
function takeGrant(upgradeType: string): boolean {
  const isUpgrade = upgradeType !== noUpgrade && upgradeType !== connectType;
  if (isUpgrade && responseHead.status === 200) responseHead.status = 101;
  return isGranted(upgradeType, responseHead.status);
}
