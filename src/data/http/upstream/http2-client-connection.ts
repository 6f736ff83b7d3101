/**
 * One HTTP/2 connection to a host (RFC 9113): its frames, its settings, its timers and its end. The requests on it are
 * in `http2-client-streams.ts`, the rules of single frames in `frame-rules.ts`.
 *
 *   connecting → open → retired → closed        retired: no new requests; it ends with the last one under way
 *
 * What a newcomer would get wrong: the host is not trusted. Whatever it sends that breaks the protocol ends this one
 * connection, and each request on it learns why.
 */
import type { CloseReason, Socket, SocketHandler } from "../../../shared/io/reactor.ts";
import { UpstreamTransport } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { DeadlineTimer, never } from "../deadline-timer.ts";
import { PartialHead } from "../http1/partial-head.ts";
import { type Flood, FloodGuard } from "../http2/flood-guard.ts";
import { ReceiveWindow } from "../http2/flow-window.ts";
import { frameProblem } from "../http2/frame-rules.ts";
import {
  clientPreface,
  defaultWindow,
  errorCode,
  flag,
  FrameHeader,
  frameHeaderBytes,
  frameSizeMin,
  frameType,
  readUint31,
  readUint32,
  setting,
  windowMax,
} from "../http2/frames.ts";
import { HeaderBlock } from "../http2/header-block.ts";
import { KeepalivePing } from "../http2/keepalive-ping.ts";
import { StreamOutput } from "../http2/stream-output.ts";
import { clusterStat, hostStat, http2Stat } from "../stat-offsets.ts";
import { ConnectionCounts } from "./connection-counts.ts";
import type { Http2ClientStream } from "./http2-client-stream.ts";
import { headBytesOf } from "../head-limits.ts";
import { Http2ClientStreams } from "./http2-client-streams.ts";
import type { ConnectionOwner, PooledConnection } from "./pooled-connection.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

const frame = new FrameHeader();
/** Of a padded frame, its data; of HEADERS, the fragment. */
const payload = { start: 0, end: 0 };

const floodStats: Readonly<Record<Flood, number>> = {
  emptyFrames: http2Stat.inboundEmptyFramesFlood,
  priorityFrames: http2Stat.inboundPriorityFramesFlood,
  windowUpdates: http2Stat.inboundWindowUpdateFramesFlood,
  // A host that resets its streams fails its requests; there is no such limit.
  prematureResets: http2Stat.rxReset,
};

/** Streams before the host's SETTINGS have come: no host should allow fewer (RFC 9113 §6.5.2). */
const unheardStreamsMax = 100;

type State = "connecting" | "open" | "retired" | "closed";

export class Http2ClientConnection implements SocketHandler, PooledConnection {
  readonly host: UpstreamHost;
  isReady = false;
  readonly #pool: ConnectionOwner;
  readonly #isCounted: boolean;
  readonly #transport: UpstreamTransport;
  readonly #counts: ConnectionCounts;
  readonly #timer: DeadlineTimer;
  readonly #partial = new PartialHead();
  readonly #block: HeaderBlock;
  readonly #window: ReceiveWindow;
  readonly #floods: FloodGuard;
  readonly #output: StreamOutput<Http2ClientStream>;
  readonly #streams: Http2ClientStreams;
  readonly #startMs: number;
  #keepalive: KeepalivePing | undefined;
  #state: State = "connecting";
  #hasSettings = false;
  #peerStreamsMax: number;
  #idleSinceMs = 0;
  /** Who ends it: nothing is read or said any more. */
  #closedBy: "nobody" | "us" | "host" = "nobody";
  #hasGoaway = false;
  #isMisnegotiated = false;

  constructor(pool: ConnectionOwner, isCounted: boolean) {
    const { reactor } = pool.environment;
    this.#pool = pool;
    this.host = pool.host;
    this.#isCounted = isCounted;
    const { config } = this.host.cluster;
    const { http2 } = config;
    this.#counts = new ConnectionCounts(this.host, pool.environment, reactor.nowMs);
    this.#startMs = reactor.nowMs;
    this.#peerStreamsMax = pool.peerStreamsMax;
    this.#block = new HeaderBlock(headBytesOf(config.maxResponseHeadersKb));
    this.#window = new ReceiveWindow(Math.max(http2.connectionWindowBytes, defaultWindow));
    this.#floods = new FloodGuard(http2);
    const protocol = config.protocol === "alpn" ? "alpn" : "http2";
    this.#transport = new UpstreamTransport(this.host, pool.environment, protocol, this);
    this.#output = new StreamOutput({
      reactor,
      socket: this.#transport.socket,
      options: http2,
      floods: this.#floods,
      onSent: (bytes) => this.#counts.add(clusterStat.cxTxBytes, bytes),
    });
    this.#streams = new Http2ClientStreams(pool, {
      connection: this,
      output: this.#output,
      floods: this.#floods,
      counts: this.#counts,
      release: (bytes) => this.#release(bytes),
      fail: (code) => this.#fail(code),
      onStreamEnd: () => this.#onStreamEnd(),
      boundFrames: () => this.#boundFrames(),
    });
    this.#timer = new DeadlineTimer(reactor, this);
    this.#timer.atLatest(reactor.nowMs + config.connectTimeoutMs);
    this.#counts.opened();
    this.#counts.count(clusterStat.cxHttp2Total);
  }

  get socket(): Socket {
    return this.#transport.socket;
  }

  get room(): number {
    if (this.#state !== "open") return 0;
    const { http2, maxRequestsPerConnection } = this.host.cluster.config;
    const peersMax = this.#hasSettings
      ? this.#peerStreamsMax
      : Math.min(this.#peerStreamsMax, unheardStreamsMax);
    const left = Math.min(http2.maxConcurrentStreams, peersMax) - this.#streams.count;
    const requestsLeft = (maxRequestsPerConnection || Infinity) - this.#streams.requestCount;
    return Math.max(0, Math.min(left, requestsLeft));
  }

  get #isClosing(): boolean {
    return this.#state === "closed" || this.#closedBy !== "nobody";
  }

  get isIdle(): boolean {
    return this.#state !== "connecting" && this.#streams.count === 0;
  }

  begin(request: UpstreamRequest): UpstreamConnection | undefined {
    if (!request.breakers.tryAcquire("requests")) return undefined;
    this.#counts.requestBegan();
    const { nowMs } = this.#pool.environment.reactor;
    if (this.#keepalive?.isWantedBeforeRequest(nowMs) === true) this.#ping(this.#keepalive, nowMs);
    const stream = this.#streams.open(request);
    const { maxRequestsPerConnection } = this.host.cluster.config;
    const isLast = this.#streams.requestCount === maxRequestsPerConnection;
    if (isLast) this.#counts.count(clusterStat.cxMaxRequests);
    if (isLast || this.#streams.isExhausted) this.#retire();
    return stream;
  }

  close(): void {
    this.#closedBy = "us";
    this.#output.writer.flushOutput();
    this.socket.close("flush");
  }

  onConnected(): void {
    if (!this.#transport.onConnected()) return;
    if (!this.#speaksHttp2()) return;
    const { environment } = this.#pool;
    const { http2 } = this.host.cluster.config;
    const { writer } = this.#output;
    this.#counts.connected();
    this.#state = "open";
    this.#idleSinceMs = environment.reactor.nowMs;
    this.#keepalive =
      http2.keepalive &&
      new KeepalivePing(http2.keepalive, environment.random, environment.reactor.nowMs);
    writer.raw(clientPreface);
    writer.settings([
      [setting.headerTableSize, http2.hpackTableBytes],
      [setting.enablePush, 0],
      [setting.maxConcurrentStreams, http2.maxConcurrentStreams],
      [setting.initialWindowSize, http2.streamWindowBytes],
      ...http2.customSettings,
    ]);
    const more = http2.connectionWindowBytes - defaultWindow;
    if (more > 0) writer.windowUpdate(0, more);
    this.#timer.atLatest(this.#nextDeadlineMs());
    // How many more it can take its SETTINGS will say.
    this.#pool.released(this);
  }

  onData(from: number, end: number): void {
    this.#counts.add(clusterStat.cxRxBytes, end - from);
    if (this.#isClosing) return;
    const { arena, nowMs } = this.#pool.environment.reactor;
    this.#keepalive?.onHeard(nowMs);
    let at = this.#partial.prepend(arena, from);
    while (end - at >= frameHeaderBytes) {
      frame.read(arena.bytes, at);
      if (frame.length > frameSizeMin) return this.#fail(errorCode.frameSizeError);
      const next = at + frameHeaderBytes + frame.length;
      if (next > end) break;
      this.#onFrame(at + frameHeaderBytes, next);
      if (this.#isClosing) return;
      at = next;
    }
    if (at < end) this.#partial.keep(arena.bytes, at, end);
  }

  onEnd(): void {
    if (this.#closedBy === "nobody") this.#closedBy = "host";
    this.#failStreams("connectionTermination");
    this.socket.close("now");
  }

  onAboveHighWatermark(): void {
    this.#counts.count(clusterStat.backedUp);
    this.#output.isFull = true;
    this.#streams.updateFull();
  }

  onBelowLowWatermark(): void {
    this.#counts.count(clusterStat.drained);
    this.#output.isFull = false;
    this.#streams.updateFull();
  }

  onSpliced(): void {
    // HTTP bytes pass through us.
  }

  onClosed(reason: CloseReason, detail: string): void {
    const wasConnecting = this.#state === "connecting";
    const failure = this.#transport.onClosed(detail);
    if (!wasConnecting) this.#failStreams("connectionTermination");
    this.#state = "closed";
    this.#timer.cancel();
    this.#partial.clear();
    this.#output.writer.discard();
    if (this.#isCounted) this.host.cluster.breakers.release("connections");
    this.#counts.closed(reason, this.#closedBy === "us");
    this.#pool.closed(this, wasConnecting);
    if (!wasConnecting || this.#isMisnegotiated) return;
    this.#counts.count(clusterStat.cxConnectFail);
    this.#counts.countHost(hostStat.cxConnectFail);
    if (this.#closedBy === "us") this.#pool.failWaiting("connectionTimeout", "");
    else this.#pool.failWaiting("connectionFailure", failure);
  }

  onDeadline(nowMs: number): number {
    if (this.#state === "connecting") {
      this.#counts.count(clusterStat.cxConnectTimeout);
      this.#closedBy = "us";
      this.socket.close("now");
      return never;
    }
    this.#onDue(nowMs);
    return this.#isClosing ? never : this.#nextDeadlineMs();
  }

  #onDue(nowMs: number): void {
    const keepalive = this.#keepalive;
    if (keepalive?.isOverdue(nowMs) === true) {
      this.#counts.countHttp2(http2Stat.keepaliveTimeout);
      this.#closedBy = "us";
      this.#failStreams("connectionTermination");
      this.socket.close("now");
    } else if (nowMs >= this.#idleDueMs()) {
      this.#counts.count(clusterStat.cxIdleTimeout);
      this.close();
    } else if (nowMs >= this.#ageDueMs()) {
      this.#counts.count(clusterStat.cxMaxDuration);
      this.#retire();
      if (this.isIdle) this.close();
    } else if (keepalive?.isDue(nowMs) === true) this.#ping(keepalive, nowMs);
  }

  #ping(keepalive: KeepalivePing, nowMs: number): void {
    this.#output.writer.ping(keepalive.next(nowMs));
    this.#timer.atLatest(keepalive.nextDueMs());
  }

  #nextDeadlineMs(): number {
    const pingMs = this.#keepalive?.nextDueMs() ?? never;
    return Math.min(pingMs, this.#idleDueMs(), this.#ageDueMs());
  }

  #idleDueMs(): number {
    const { idleTimeoutMs } = this.host.cluster.config;
    if (idleTimeoutMs === 0 || this.#streams.count > 0) return never;
    return this.#idleSinceMs + idleTimeoutMs;
  }

  #ageDueMs(): number {
    const { maxConnectionDurationMs } = this.host.cluster.config;
    if (maxConnectionDurationMs === 0 || this.#state !== "open") return never;
    return this.#startMs + maxConnectionDurationMs;
  }

  /** Where the handshake chooses the protocol it may have chosen the other one: the next connection is of that. */
  #speaksHttp2(): boolean {
    const { tlsSession } = this.socket;
    if (this.host.cluster.config.protocol !== "alpn" || tlsSession?.alpnProtocol === "h2")
      return true;
    this.#isMisnegotiated = true;
    this.#pool.negotiated(this, "http1");
    this.close();
    return false;
  }

  /** The frame's payload is bytes[start, end). */
  #onFrame(start: number, end: number): void {
    const { type } = frame;
    if (this.#block.isOpen !== (type === frameType.continuation))
      return this.#fail(errorCode.protocolError);
    if (!this.#hasSettings && (type !== frameType.settings || frame.has(flag.ack)))
      return this.#fail(errorCode.protocolError);
    const problem = frameProblem(frame);
    if (problem !== errorCode.noError) return this.#fail(problem);
    payload.start = start;
    payload.end = end;
    switch (type) {
      case frameType.data:
        return this.#onDataFrame();
      case frameType.headers:
        return this.#onHeaders();
      case frameType.continuation:
        return this.#onContinuation();
      case frameType.windowUpdate:
        return this.#onWindowUpdate(readUint31(this.#bytes, start));
      case frameType.metadata:
        return this.#onMetadata(start, end);
      default:
        this.#onControl(start, end);
    }
  }

  get #bytes(): Uint8Array {
    return this.#pool.environment.reactor.arena.bytes;
  }

  #onControl(start: number, end: number): void {
    const { writer } = this.#output;
    switch (frame.type) {
      case frameType.settings:
        if (!frame.has(flag.ack)) this.#onSettings(start, end);
        break;
      case frameType.ping:
        if (!frame.has(flag.ack)) writer.pingAck(start);
        else this.#onPingAck(readUint32(this.#bytes, start + 4));
        break;
      case frameType.rstStream:
        this.#streams.onReset(frame.streamId, readUint32(this.#bytes, start));
        break;
      case frameType.priority:
        this.#onFlood(this.#floods.onPriority());
        break;
      case frameType.goaway:
        this.#onGoaway(readUint31(this.#bytes, start));
        break;
      default:
      // What is not known is ignored (§5.5).
    }
    this.#boundFrames();
  }

  #boundFrames(): void {
    this.#output.boundFrames((stat) => this.#onFlooded(stat));
  }

  #onMetadata(start: number, end: number): void {
    if (!this.host.cluster.config.http2.allowsMetadata) return;
    const part = this.#bytes.subarray(start, end);
    this.#streams.onMetadata(frame.streamId, part, frame.flags === flag.endMetadata);
  }

  #onPingAck(number: number): void {
    const keepalive = this.#keepalive;
    if (keepalive === undefined) return;
    keepalive.onAck(number, this.#pool.environment.reactor.nowMs);
    this.#timer.atLatest(keepalive.nextDueMs());
  }

  #onDataFrame(): void {
    const length = payload.end - payload.start;
    const ends = frame.has(flag.endStream);
    if (!this.#window.receive(length)) return this.#fail(errorCode.flowControlError);
    if (!this.#unpad()) return this.#fail(errorCode.protocolError);
    if (this.#onFlood(this.#floods.onPayload(length, ends))) return;
    this.#streams.onData(frame.streamId, payload, { flowBytes: length, isEnd: ends });
  }

  #onHeaders(): void {
    if (!this.#unpad()) return this.#fail(errorCode.protocolError);
    if (frame.has(flag.priority)) payload.start += 5;
    if (payload.start > payload.end) return this.#fail(errorCode.frameSizeError);
    const ends = frame.has(flag.endStream);
    if (this.#onFlood(this.#floods.onPayload(payload.end - payload.start, ends))) return;
    const head = { id: frame.streamId, isEnd: ends, isSelfDependent: false };
    const bytes = this.#bytes;
    if (frame.has(flag.endHeaders))
      this.#streams.onHeaders(head, bytes, payload.start, payload.end);
    else this.#block.open(head, bytes.slice(payload.start, payload.end));
  }

  #onContinuation(): void {
    const { start, end } = payload;
    if (this.#block.id !== frame.streamId) return this.#fail(errorCode.protocolError);
    if (this.#onFlood(this.#floods.onPayload(end - start, frame.has(flag.endHeaders)))) return;
    if (!this.#block.add(this.#bytes.slice(start, end))) {
      this.#counts.countHttp2(http2Stat.headerOverflow);
      return this.#fail(errorCode.enhanceYourCalm);
    }
    if (!frame.has(flag.endHeaders)) return;
    const { head, bytes } = this.#block.close();
    this.#streams.onHeaders(head, bytes, 0, bytes.length);
  }

  #onSettings(start: number, end: number): void {
    const bytes = this.#bytes;
    for (let at = start; at < end; at += 6) {
      const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const value = readUint32(bytes, at + 2);
      // A server that says it may push still may not: we said so (§6.5.2).
      const isPush = id === setting.enablePush && value !== 0;
      const code = isPush
        ? errorCode.protocolError
        : this.#output.onSetting(id, value, this.#streams.all);
      if (code !== errorCode.noError) return this.#fail(code);
      if (id === setting.maxConcurrentStreams) this.#peerStreamsMax = value;
    }
    this.#pool.peerStreamsMax = this.#peerStreamsMax;
    this.#output.writer.settingsAck();
    this.#streams.pump();
    if (this.#hasSettings) this.#pool.released(this);
    else {
      this.#hasSettings = true;
      this.#pool.connected(this);
    }
  }

  #onWindowUpdate(increment: number): void {
    const { streamId } = frame;
    if (this.#onFlood(this.#floods.onWindowUpdate())) return;
    if (streamId !== 0) return this.#streams.onWindowUpdate(streamId, increment);
    if (increment === 0) return this.#fail(errorCode.protocolError);
    this.#output.sendWindow += increment;
    if (this.#output.sendWindow > windowMax) return this.#fail(errorCode.flowControlError);
    this.#streams.pump();
  }

  /** The host goes: streams beyond the last it will look at were not seen by it (§6.8). */
  #onGoaway(lastId: number): void {
    if (!this.#hasGoaway) this.#counts.count(clusterStat.cxCloseNotify);
    this.#hasGoaway = true;
    this.#retire();
    this.#streams.failBeyond(lastId);
    if (this.#streams.count === 0) this.close();
  }

  /** Takes the padding off; false: there is more of it than payload (§6.1). */
  #unpad(): boolean {
    if (!frame.has(flag.padded)) return true;
    if (payload.start === payload.end) return false;
    payload.end -= this.#bytes[payload.start++] as number;
    return payload.end >= payload.start;
  }

  #retire(): void {
    if (this.#state !== "open") return;
    this.#state = "retired";
    this.#pool.retired(this);
  }

  #onStreamEnd(): void {
    if (this.#streams.count === 0) {
      this.#idleSinceMs = this.#pool.environment.reactor.nowMs;
      this.#timer.atLatest(this.#nextDeadlineMs());
    }
    if (this.#isClosing) return;
    if (this.#state === "retired") {
      if (this.#streams.count === 0) this.close();
    } else this.#pool.released(this);
  }

  #release(bytes: number): void {
    const increment = this.#window.release(bytes);
    if (increment > 0) this.#output.writer.windowUpdate(0, increment);
  }

  #onFlood(flood: Flood | undefined): boolean {
    if (flood === undefined) return false;
    this.#counts.countHttp2(floodStats[flood]);
    this.#fail(errorCode.enhanceYourCalm);
    return true;
  }

  /** The host makes us say more than it reads: nothing more is said. */
  #onFlooded(stat: number): void {
    this.#counts.countHttp2(stat);
    this.#output.writer.discard();
    this.#fail(errorCode.enhanceYourCalm);
  }

  /** The host broke the protocol. */
  #fail(code: number): void {
    if (this.#isClosing) return;
    this.#counts.count(clusterStat.cxProtocolError);
    this.#counts.countHttp2(http2Stat.goawaySent);
    this.#output.writer.goaway(0, code);
    this.#retire();
    this.close();
    this.#failStreams("protocolError");
  }

  #failStreams(reason: ResetReason): void {
    this.#retire();
    this.#streams.failAll(reason, this.#closedBy === "us");
  }
}
