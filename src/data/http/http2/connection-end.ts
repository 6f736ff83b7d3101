/**
 * When an HTTP/2 connection ends, and how: told to drain, idle, too old, silent, broken, or flooded; with the counts of
 * its life (Envoy: `ConnectionManagerImpl`'s timers and drain state). The words it says are in `shutdown.ts`.
 */
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { CloseReason } from "../../../shared/io/reactor.ts";
import { maxAgeMs } from "../connection-age.ts";
import { type DownstreamConnection, isTls } from "../../network/downstream-connection.ts";
import { DeadlineTimer, never } from "../deadline-timer.ts";
import type { HttpContext } from "../http-context.ts";
import { httpStat, http2Stat } from "../stat-offsets.ts";
import type { Flood } from "./flood-guard.ts";
import { errorCode, streamIdMax } from "./frames.ts";
import type { HeaderBlock } from "./header-block.ts";
import { KeepalivePing } from "./keepalive-ping.ts";
import type { ServerRequests } from "./server-requests.ts";
import type { ServerStream } from "./server-stream.ts";
import type { StreamOutput } from "./stream-output.ts";
import { serving, shutdownPing, type ShutdownState } from "./shutdown.ts";

const floodStats: Readonly<Record<Exclude<Flood, "prematureResets">, number>> = {
  emptyFrames: http2Stat.inboundEmptyFramesFlood,
  priorityFrames: http2Stat.inboundPriorityFramesFlood,
  windowUpdates: http2Stat.inboundWindowUpdateFramesFlood,
};

interface Parts {
  readonly output: StreamOutput<ServerStream>;
  readonly block: HeaderBlock;
  readonly requests: ServerRequests;
}

export class ConnectionEnd {
  readonly #context: HttpContext;
  readonly #connection: DownstreamConnection;
  readonly #parts: Parts;
  readonly #timer: DeadlineTimer;
  readonly #keepalive: KeepalivePing | undefined;
  readonly #maxAgeMs: number;
  #state: ShutdownState = serving;
  #isClosed = false;
  #endByPeer: "none" | "between requests" | "mid-request" = "none";
  #responses = 0;
  #idleSinceMs: number;

  constructor(context: HttpContext, connection: DownstreamConnection, parts: Parts) {
    const { keepalive } = context.config.http2;
    this.#context = context;
    this.#connection = connection;
    this.#parts = parts;
    this.#timer = new DeadlineTimer(context.reactor, this);
    this.#maxAgeMs = maxAgeMs(context.config, context.worker.random);
    this.#idleSinceMs = context.reactor.nowMs;
    this.#keepalive =
      keepalive && new KeepalivePing(keepalive, context.worker.random, context.reactor.nowMs);
  }

  /** Nothing is read any more. */
  get isClosing(): boolean {
    return this.#isClosed || this.#state.kind === "closing";
  }

  onNewConnection(): void {
    const context = this.#context;
    context.count(httpStat.cxHttp2Total);
    context.add(httpStat.cxHttp2Active, 1);
    this.atLatest(this.#nextDeadlineMs());
  }

  onDrain(drain: DrainStart): void {
    this.#context.count(httpStat.cxDrainClose);
    this.#notice(drain.deadlineMs);
    this.#parts.requests.onDrain(drain);
  }

  /** The client sent something. */
  onHeard(): void {
    this.#keepalive?.onHeard(this.#context.reactor.nowMs);
  }

  /** A header block is open. */
  onHeadBegun(): void {
    this.atLatest(this.#headDueMs());
  }

  onPingAck(number: number): void {
    if (this.#state.kind === "noticed" && number === shutdownPing) this.#becomeFinal();
    else if (this.#keepalive !== undefined) {
      this.#keepalive.onAck(number, this.#context.reactor.nowMs);
      this.atLatest(this.#keepalive.nextDueMs());
    }
  }

  onStreamEnd(): void {
    if (this.#parts.requests.count > 0) return;
    this.#idleSinceMs = this.#context.reactor.nowMs;
    if (this.#state.kind === "final") this.#closeGracefully();
    else this.atLatest(this.#nextDeadlineMs());
  }

  /** Asked once a response. Envoy decides here for what is polled, not told. */
  decidesToClose(): void {
    this.#responses++;
    if (this.#state.kind !== "serving") return;
    const { maxRequestsPerConnection } = this.#context.config;
    if (maxRequestsPerConnection > 0 && this.#responses >= maxRequestsPerConnection) {
      this.#context.count(httpStat.cxMaxRequests);
      this.#notice(never);
    } else if (this.#connection.isHealthCheckFailed) {
      this.#context.count(httpStat.cxDrainClose);
      this.#notice(never);
    }
  }

  /** The client broke the protocol. */
  fail(code: number, details: string): void {
    if (this.isClosing) return;
    this.#context.count(httpStat.cxProtocolError);
    this.#end(code, details);
  }

  onFlood(flood: Flood): void {
    if (this.isClosing) return;
    if (flood === "prematureResets") this.#context.count(httpStat.rqTooManyPrematureResets);
    else {
      this.#context.count(httpStat.cxProtocolError);
      this.#context.countHttp2(floodStats[flood]);
    }
    this.#end(errorCode.enhanceYourCalm, "http2.flood");
  }

  /** The client makes us say more than it reads: nothing more is said. */
  onFlooded(offset: number): void {
    if (this.isClosing) return;
    this.#context.count(httpStat.cxProtocolError);
    this.#context.countHttp2(offset);
    this.#cut("http2.outbound_frames_flood");
  }

  /** Everything was said and has left: the rest was courtesy. */
  get hasSaidAll(): boolean {
    return this.#state.kind === "closing" && this.#connection.socket.queuedBytes === 0;
  }

  onEndByPeer(hadRequests: boolean): void {
    this.#endByPeer = hadRequests ? "mid-request" : "between requests";
  }

  closeNow(how: "flush" | "now"): void {
    this.#isClosed = true;
    this.#connection.socket.close(how);
  }

  atLatest(dueMs: number): void {
    this.#timer.atLatest(dueMs);
  }

  onClosed(reason: CloseReason, hadRequests: boolean): void {
    const context = this.#context;
    this.#isClosed = true;
    this.#timer.cancel();
    const isRemote = reason !== "local" || this.#endByPeer !== "none";
    context.add(httpStat.cxActive, -1);
    context.add(httpStat.cxHttp2Active, -1);
    if (isTls(this.#connection.filterChain)) context.add(httpStat.cxSslActive, -1);
    context.count(httpStat.cxDestroy);
    context.count(isRemote ? httpStat.cxDestroyRemote : httpStat.cxDestroyLocal);
    context.record(httpStat.cxLengthMs, context.reactor.nowMs - this.#connection.startMs);
    if (!hadRequests && this.#endByPeer !== "mid-request") return;
    context.count(httpStat.cxDestroyActiveRq);
    context.count(isRemote ? httpStat.cxDestroyRemoteActiveRq : httpStat.cxDestroyLocalActiveRq);
  }

  onDeadline(nowMs: number): number {
    if (this.#isClosed) return never;
    if (this.#state.kind === "closing") {
      if (nowMs >= this.#nextDeadlineMs()) this.#onClosingDue(this.#state);
      return this.#nextDeadlineMs();
    }
    this.#parts.requests.onDeadline(nowMs);
    if (nowMs >= this.#headDueMs()) this.#parts.requests.onHeadOverdue(this.#parts.block.giveUp());
    if (this.#state.kind === "noticed" && nowMs >= this.#state.finalAtMs) this.#becomeFinal();
    else if (this.#state.kind === "serving") this.#onServingDue(nowMs);
    return this.#nextDeadlineMs();
  }

  #onServingDue(nowMs: number): void {
    if (nowMs >= this.#idleDueMs()) {
      this.#context.count(httpStat.cxIdleTimeout);
      this.#notice(never);
    } else if (nowMs >= this.#ageDueMs()) {
      this.#context.count(httpStat.cxMaxDuration);
      this.#notice(never);
    }
    const keepalive = this.#keepalive;
    if (keepalive === undefined) return;
    if (keepalive.isOverdue(nowMs)) {
      this.#context.countHttp2(http2Stat.keepaliveTimeout);
      this.#cut("http2.keepalive_timeout");
    } else if (keepalive.isDue(nowMs)) this.#parts.output.writer.ping(keepalive.next(nowMs));
  }

  /** A slow reader that still reads is not late. */
  #onClosingDue({ queuedBytes: before }: { readonly queuedBytes: number }): void {
    const { queuedBytes } = this.#connection.socket;
    if (queuedBytes < before) {
      this.#state = { kind: "closing", sinceMs: this.#context.reactor.nowMs, queuedBytes };
      return;
    }
    this.#context.count(httpStat.cxDelayedCloseTimeout);
    this.closeNow("now");
  }

  /** `byMs`: the drain's deadline, which the second word must not miss. */
  #notice(byMs: number): void {
    if (this.#state.kind !== "serving" || this.#isClosed) return;
    const { writer } = this.#parts.output;
    const { nowMs } = this.#context.reactor;
    writer.goaway(streamIdMax, errorCode.noError);
    writer.ping(shutdownPing);
    this.#context.countHttp2(http2Stat.goawaySent);
    const finalAtMs = Math.min(nowMs + this.#context.config.drainTimeoutMs, Math.max(nowMs, byMs));
    this.#state = { kind: "noticed", finalAtMs };
    this.atLatest(finalAtMs);
  }

  #becomeFinal(): void {
    const { output, requests } = this.#parts;
    requests.isFinal = true;
    output.writer.goaway(requests.lastId, errorCode.noError);
    this.#context.countHttp2(http2Stat.goawaySent);
    this.#state = { kind: "final" };
    if (requests.count === 0) this.#closeGracefully();
  }

  #end(code: number, details: string): void {
    const { output, requests } = this.#parts;
    this.#context.countHttp2(http2Stat.goawaySent);
    output.writer.goaway(requests.lastId, code);
    this.#closeGracefully();
    requests.failAll(details);
  }

  #cut(details: string): void {
    const { output, requests } = this.#parts;
    output.writer.discard();
    this.closeNow("now");
    requests.failAll(details);
  }

  /** FIN after the last byte; then whatever the client still sends is read and dropped, for a while. */
  #closeGracefully(): void {
    const { socket } = this.#connection;
    this.#parts.output.writer.flushOutput();
    if (this.#context.config.delayedCloseTimeoutMs === 0) {
      this.closeNow("flush");
      return;
    }
    const { queuedBytes } = socket;
    this.#state = { kind: "closing", sinceMs: this.#context.reactor.nowMs, queuedBytes };
    socket.shutdownWrite();
    this.atLatest(this.#nextDeadlineMs());
  }

  #nextDeadlineMs(): number {
    const state = this.#state;
    if (state.kind === "closing") return state.sinceMs + this.#context.config.delayedCloseTimeoutMs;
    const requestMs = Math.min(this.#parts.requests.nextDeadlineMs(), this.#headDueMs());
    if (state.kind === "noticed") return Math.min(requestMs, state.finalAtMs);
    if (state.kind === "final") return requestMs;
    const pingMs = this.#keepalive?.nextDueMs() ?? never;
    return Math.min(requestMs, this.#idleDueMs(), this.#ageDueMs(), pingMs);
  }

  #headDueMs(): number {
    const { requestHeadersTimeoutMs } = this.#context.config;
    return requestHeadersTimeoutMs === 0
      ? never
      : this.#parts.block.openSinceMs + requestHeadersTimeoutMs;
  }

  #idleDueMs(): number {
    const { idleTimeoutMs } = this.#context.config;
    if (idleTimeoutMs === 0 || this.#parts.requests.count > 0) return never;
    return this.#idleSinceMs + idleTimeoutMs;
  }

  #ageDueMs(): number {
    return this.#maxAgeMs === 0 ? never : this.#connection.startMs + this.#maxAgeMs;
  }
}
