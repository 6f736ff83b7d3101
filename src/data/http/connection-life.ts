/**
 * The life of an HTTP connection around its requests: how old, how idle, told to drain or not, closing
 * since when. It decides; the connection acts (Envoy: `ConnectionManagerImpl`'s timers and drain state).
 *
 * A connection that was told to drain says `connection: close` with its next response. One that has
 * nothing to say is closed after a grace without a byte, and only if no request is on its way in:
 * closing at once would fail requests that cross the FIN.
 */
import type { DrainStart } from "../../shared/drain/drain.ts";
import { silencePlan } from "../../shared/drain/drain-decision.ts";
import type { IdleConnection, UpgradedConnection } from "../../shared/protocol/moved-connection.ts";
import type { CloseReason } from "../../shared/io/reactor.ts";
import { tickMs } from "../../shared/io/timer-wheel.ts";
import { type DownstreamConnection, isTls } from "../network/downstream-connection.ts";
import { maxAgeMs } from "./connection-age.ts";
import { never } from "./deadline-timer.ts";
import type { HttpContext } from "./http-context.ts";
import { httpStat } from "./stat-offsets.ts";

/** A request seen in the receive queue is given this long to be delivered. */
const unreadRecheckMs = 100;

export class ConnectionLife {
  /** The client's FIN has come; `mid-request`: with a request under way. */
  #endByPeer: "none" | "between requests" | "mid-request" = "none";
  readonly #context: HttpContext;
  readonly #connection: DownstreamConnection;
  readonly #maxAgeMs: number;
  #isHttp1 = false;
  #hasMoved = false;
  #requestCount = 0;
  #lastByteMs = 0;
  #headBegunMs = -1;
  /** Idle since; requests reset it. */
  #idleSinceMs = 0;
  #isTold = false;
  #isTooOld = false;
  /** `idle_timeout` has passed: as too old, for a request may be on its way. */
  #isIdleOver = false;
  /** Instant at which a told, silent connection is closed, were no byte to come; and at the latest. */
  #graceMs = 0;
  #graceEndsMs = never;
  #recheckAtMs = 0;
  #isClosing = false;
  #closingSinceMs = 0;
  #queuedAtClosing = 0;

  constructor(context: HttpContext, connection: DownstreamConnection) {
    this.#context = context;
    this.#connection = connection;
    this.#maxAgeMs = maxAgeMs(context.config, context.worker.random);
    this.#lastByteMs = Math.ceil(context.reactor.nowMs);
    this.#idleSinceMs = this.#lastByteMs;
  }

  onNewConnection(): void {
    const context = this.#context;
    context.count(httpStat.cxTotal);
    context.add(httpStat.cxActive, 1);
    if (!this.#isTls) return;
    context.count(httpStat.cxSslTotal);
    context.add(httpStat.cxSslActive, 1);
  }

  /** From another process, where it was counted. */
  onMovedHere(moved: IdleConnection | UpgradedConnection): void {
    const context = this.#context;
    const isUpgraded = moved.kind === "upgraded";
    context.add(httpStat.cxActive, 1);
    this.#requestCount = isUpgraded ? 1 : moved.requests;
    this.#isHttp1 = this.#requestCount > 0;
    if (this.#isHttp1) context.add(httpStat.cxHttp1Active, 1);
    this.#isTooOld = isUpgraded && moved.isTooOld;
    if (this.#isSoftDraining) context.add(httpStat.cxHttp1SoftDrain, 1);
  }

  /** To another process, which will count how it ends. */
  onMovedAway(): void {
    this.#hasMoved = true;
  }

  #leaveGauges(): void {
    const context = this.#context;
    if (this.#isSoftDraining) context.add(httpStat.cxHttp1SoftDrain, -1);
    context.add(httpStat.cxActive, -1);
    if (this.#isHttp1) context.add(httpStat.cxHttp1Active, -1);
    if (this.#isTls) context.add(httpStat.cxSslActive, -1);
  }

  get requestCount(): number {
    return this.#requestCount;
  }

  get isTooOld(): boolean {
    return this.#isTooOld;
  }

  /** Idle, it may go on elsewhere: it is not about to end, and what it is can be told by its requests. */
  get isMovable(): boolean {
    return !this.#isTooOld && !this.#isIdleOver && this.#isHttp1 === this.#requestCount > 0;
  }

  get #isSoftDraining(): boolean {
    return this.#isTooOld && this.#context.config.http1SafeMaxConnectionDuration;
  }

  get #isTls(): boolean {
    return isTls(this.#connection.filterChain);
  }

  /** Bytes of HTTP/1: the first of them decide that the connection is one. */
  onBytes(): void {
    if (!this.#isHttp1) {
      this.#isHttp1 = true;
      this.#context.count(httpStat.cxHttp1Total);
      this.#context.add(httpStat.cxHttp1Active, 1);
    }
    this.#lastByteMs = this.#wholeMs();
  }

  onHeadBegun(): void {
    if (this.#headBegunMs < 0) this.#headBegunMs = this.#wholeMs();
  }

  onRequest(): void {
    this.#headBegunMs = -1;
    this.#requestCount++;
  }

  onRequestOver(): void {
    this.#idleSinceMs = this.#wholeMs();
    this.#lastByteMs = this.#idleSinceMs;
  }

  onDrain(drain: DrainStart): void {
    this.#isTold = true;
    const { graceMs, endsMs } = silencePlan(drain);
    this.#startGrace(graceMs, endsMs);
  }

  onDrainDeadlineMoved(drain: DrainStart): void {
    if (!this.#isTooOld) this.#graceEndsMs = silencePlan(drain).endsMs;
  }

  onClosing(): void {
    this.#isClosing = true;
    this.#headBegunMs = -1;
    this.#closingSinceMs = this.#wholeMs();
    this.#queuedAtClosing = this.#connection.socket.queuedBytes;
  }

  onEndByPeer(hadRequest: boolean): void {
    this.#endByPeer = hadRequest ? "mid-request" : "between requests";
  }

  onClosed(reason: CloseReason, hadRequest: boolean): void {
    const context = this.#context;
    // Whoever sent FIN ended it, though it is we who close the socket then.
    const isRemote = reason !== "local" || this.#endByPeer !== "none";
    this.#leaveGauges();
    if (this.#hasMoved) return;
    context.count(httpStat.cxDestroy);
    context.count(isRemote ? httpStat.cxDestroyRemote : httpStat.cxDestroyLocal);
    context.record(httpStat.cxLengthMs, context.reactor.nowMs - this.#connection.startMs);
    if (!hadRequest && this.#endByPeer !== "mid-request") return;
    context.count(httpStat.cxDestroyActiveRq);
    context.count(isRemote ? httpStat.cxDestroyRemoteActiveRq : httpStat.cxDestroyLocalActiveRq);
  }

  /** Whether the response being made is the connection's last. Counts why. */
  decidesToClose(isPersistent: boolean): boolean {
    if (!isPersistent) return true;
    const { maxRequestsPerConnection } = this.#context.config;
    if (maxRequestsPerConnection > 0 && this.#requestCount >= maxRequestsPerConnection) {
      this.#context.count(httpStat.cxMaxRequests);
      return true;
    }
    if (this.#isTooOld || this.#isIdleOver) return true;
    if (!this.#isTold && !this.#connection.isHealthCheckFailed) {
      if (!this.#context.endsKeepAlive()) return false;
      this.#context.count(httpStat.cxOverloadDisableKeepalive);
    }
    this.#context.count(httpStat.cxDrainClose);
    return true;
  }

  isHeadOverdue(nowMs: number): boolean {
    return nowMs >= this.#headDueMs();
  }

  nextDeadlineMs(isIdle: boolean): number {
    if (this.#isClosing) return this.#closingSinceMs + this.#context.config.delayedCloseTimeoutMs;
    const idleMs = isIdle ? Math.min(this.#idleDueMs(), this.#graceDueMs()) : never;
    return Math.min(idleMs, this.#headDueMs(), this.#ageDueMs());
  }

  /** What is to be done at `nowMs`: end in order, cut, or nothing. */
  due(nowMs: number, isIdle: boolean): "close" | "cut" | undefined {
    if (this.#isClosing) return this.#isClosingOver(nowMs) ? "cut" : undefined;
    if (nowMs >= this.#ageDueMs()) this.#onTooOld();
    if (!isIdle) return undefined;
    if (nowMs >= this.#idleDueMs()) {
      if (this.#requestCount === 0) return this.#closeUnlessUnread(nowMs, httpStat.cxIdleTimeout);
      this.#onIdleOver();
    }
    if (nowMs < this.#graceDueMs()) return undefined;
    return this.#closeUnlessUnread(nowMs, this.#isTold ? httpStat.cxDrainClose : undefined);
  }

  /**
   * Asked when it is cut: nothing would be lost. Its own timers may be a tick behind whoever cuts it at the same
   * instant, and what is seen must not depend on which of them was first.
   */
  endsInOrder(nowMs: number, isIdle: boolean): boolean {
    if (this.#isClosing) return this.#connection.socket.queuedBytes === 0;
    return this.due(nowMs + tickMs, isIdle) === "close";
  }

  #closeUnlessUnread(nowMs: number, offset: number | undefined): "close" | undefined {
    if (this.#connection.socket.hasUnreadBytes()) {
      this.#recheckAtMs = nowMs + unreadRecheckMs;
      return undefined;
    }
    if (offset !== undefined) this.#context.count(offset);
    return "close";
  }

  /** The client has had its time since the last byte left. */
  #isClosingOver(nowMs: number): boolean {
    const { delayedCloseTimeoutMs } = this.#context.config;
    if (nowMs < this.#closingSinceMs + delayedCloseTimeoutMs) return false;
    const { queuedBytes } = this.#connection.socket;
    // A slow reader that still reads is not late.
    if (queuedBytes < this.#queuedAtClosing) {
      this.#queuedAtClosing = queuedBytes;
      this.#closingSinceMs = this.#wholeMs();
      return false;
    }
    this.#context.count(httpStat.cxDelayedCloseTimeout);
    return true;
  }

  #onTooOld(): void {
    this.#isTooOld = true;
    const { reactor, config } = this.#context;
    this.#context.count(httpStat.cxMaxDuration);
    if (config.http1SafeMaxConnectionDuration) {
      this.#context.add(httpStat.cxHttp1SoftDrain, 1);
      return;
    }
    this.#startGrace(config.drainTimeoutMs, reactor.nowMs + config.drainTimeoutMs);
  }

  #onIdleOver(): void {
    this.#isIdleOver = true;
    const { reactor, config } = this.#context;
    this.#context.count(httpStat.cxIdleTimeout);
    this.#startGrace(config.drainTimeoutMs, reactor.nowMs + config.drainTimeoutMs);
  }

  #startGrace(graceMs: number, endsMs: number): void {
    this.#graceMs = graceMs;
    this.#graceEndsMs = Math.min(this.#graceEndsMs, endsMs);
    // Silence before the word does not count.
    this.#lastByteMs = this.#wholeMs();
  }

  /** Whole milliseconds are small integers, which a field holds without a box: idle connections are many. */
  #wholeMs(): number {
    return Math.ceil(this.#context.reactor.nowMs);
  }

  #graceDueMs(): number {
    if (this.#graceEndsMs === never) return never;
    const dueMs = Math.min(this.#lastByteMs + this.#graceMs, this.#graceEndsMs);
    return Math.max(dueMs, this.#recheckAtMs);
  }

  #idleDueMs(): number {
    const { idleTimeoutMs } = this.#context.config;
    if (idleTimeoutMs === 0 || this.#isIdleOver) return never;
    return Math.max(this.#idleSinceMs + idleTimeoutMs, this.#recheckAtMs);
  }

  #headDueMs(): number {
    const { requestHeadersTimeoutMs } = this.#context.config;
    if (requestHeadersTimeoutMs === 0 || this.#headBegunMs < 0) return never;
    return this.#headBegunMs + requestHeadersTimeoutMs;
  }

  #ageDueMs(): number {
    if (this.#maxAgeMs === 0 || this.#isTooOld) return never;
    return this.#connection.startMs + this.#maxAgeMs;
  }
}
