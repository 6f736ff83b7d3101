/**
 * One request's dealings with its cluster: choosing a host, getting a connection, sending, waiting,
 * trying again, giving up (Envoy: the router filter's `UpstreamRequest`s). One object a downstream
 * connection, started anew for each request.
 *
 *   idle → waiting → sending → responding → idle        waiting: no connection yet
 *            ↑          │                                backoff: before another try
 *            └─ backoff ┘
 *
 * One that was granted a tunnel can leave for another process, where it goes on as `responding`.
 *
 * What a newcomer would get wrong: the owner may be told of a failure from within `start`.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { CircuitBreakers } from "../../upstream/circuit-breakers.ts";
import { never } from "../deadline-timer.ts";
import { grpcStatus } from "../grpc.ts";
import { responseHead } from "../http1/response-head.ts";
import type { HttpContext } from "../http-context.ts";
import { notYet } from "../request/request-info.ts";
import { isGranted, noUpgrade } from "../request/upgrade.ts";
import { clusterStat, hostStat } from "../stat-offsets.ts";
import { ExchangeCounts } from "./exchange-counts.ts";
import { type ExchangeFailure, failures, resetFailure } from "./exchange-failure.ts";
import type { ExchangeOwner, ExchangePlan } from "./exchange-plan.ts";
import { ExchangeTimes } from "./exchange-times.ts";
import { poolFor } from "./pool-choice.ts";
import { EarlyBytes } from "./early-bytes.ts";
import { ReadingPause } from "../reading-pause.ts";
import { RequestCopy } from "./request-copy.ts";
import type { RequestPool } from "./request-pool.ts";
import { type ResetReason, resetAnswers } from "./reset-reason.ts";
import { firstBackoffMs, RetryState } from "./retry-state.ts";
import type {
  BodyPart,
  RequestForm,
  ResponseBody,
  Tunnel,
  UpstreamConnection,
  UpstreamRequest,
} from "./upstream-request.ts";

type Phase = "idle" | "waiting" | "sending" | "backoff" | "responding";
/** Of what was asked for beside an answer; `none`: of nothing. */
type Grant = "none" | "asked" | "granted" | "declined";

export class Exchange implements UpstreamRequest {
  isSent = false;
  readonly #context: HttpContext;
  readonly #owner: ExchangeOwner;
  readonly #copy: RequestCopy;
  #phase: Phase = "idle";
  #plan: ExchangePlan | undefined;
  #connection: UpstreamConnection | undefined;
  #pool: RequestPool | undefined;
  #retry: RetryState | undefined;
  #isRequestEnded = false;
  /** The copy has every byte so far: another try is possible. */
  #isCopyWhole = false;
  #hasReplayed = false;
  #holdsRetry = false;
  #isRetried = false;
  /** Why the request's body is not read on: the copy has its fill, the upstream takes no more. */
  readonly #pause = new ReadingPause<"copy" | "upstream" | "early">((on) =>
    this.#owner.setRequestReading(on),
  );
  /** Made when they come. */
  #early: EarlyBytes | undefined;
  #grant: Grant = "none";
  readonly #times = new ExchangeTimes();
  readonly #counts: ExchangeCounts;

  constructor(context: HttpContext, owner: ExchangeOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#counts = new ExchangeCounts(context.worker.slab);
    this.#copy = new RequestCopy(context.copyBlocks);
  }

  get breakers(): CircuitBreakers {
    const { cluster, action } = this.#thePlan();
    return action.priority === "high" ? cluster.highBreakers : cluster.breakers;
  }

  get form(): RequestForm {
    return this.#thePlan();
  }

  get wasRetried(): boolean {
    return this.#isRetried;
  }

  /** Sends the head that the context's writer holds, with the first part of the body. */
  start(plan: ExchangePlan, first: BodyPart): void {
    this.#begin(plan);
    for (const each of plan.metadata) this.#copy.addMetadata(each);
    this.#grant = plan.upgradeType === noUpgrade ? "none" : "asked";
    if (first.isEnd) this.#onRequestEnd();
    const { writer } = this.#context;
    const body = this.#grant === "none" ? first : this.#hold(first);
    const connection = this.#acquire();
    if (this.#phase === "idle") return;
    if (connection === undefined || this.#wantsCopy(connection)) {
      this.#copy.addHead(writer, plan.isChunked);
      this.#copy.addBody(writer.buffer, body);
    } else this.#isCopyWhole = false;
    if (connection === undefined) return;
    this.#attach(connection);
    this.#owner.info.upstreamBytesSent += writer.at - writer.start + body.end - body.start;
    connection.sendHead(writer, body, plan.isChunked);
  }

  #begin(plan: ExchangePlan): void {
    this.#plan = plan;
    this.#counts.begin(plan.cluster);
    this.isSent = false;
    this.#isCopyWhole = true;
    this.#hasReplayed = false;
    this.#isRetried = false;
    this.#isRequestEnded = false;
    const retryPolicy = plan.cluster.config.retryPolicy ?? plan.action.retryPolicy;
    this.#retry = retryPolicy && new RetryState(retryPolicy, this.#context.worker.random);
    this.#times.tryIdleMs = retryPolicy?.perTryIdleTimeoutMs ?? 0;
  }

  /** Over which it can go on in another process: all is answered but bytes, and none are kept here. */
  get tunnel(): Tunnel | undefined {
    return this.#grant === "granted" && !this.#early ? this.#connection?.tunnel : undefined;
  }

  get times(): ExchangeTimes {
    return this.#times;
  }

  /** It does so. */
  leave(): void {
    this.tunnel?.leave();
    this.#connection = undefined;
    this.#settle();
  }

  /** What left another process: its times are the caller's to say. */
  goOn(plan: ExchangePlan, open: (request: UpstreamRequest) => UpstreamConnection): void {
    this.#begin(plan);
    this.#connection = open(this);
    this.#isCopyWhole = false;
    this.#phase = "responding";
    this.#grant = "granted";
    this.#owner.info.attached(this.#connection);
  }

  /** A further part of the body; nobody's if the response is whole, which a filter may still hold. */
  sendBody(part: BodyPart): void {
    if (this.#phase === "idle") return;
    if (part.isEnd) this.#onRequestEnd();
    if (this.#grant === "asked") this.#hold(part);
    if (this.#grant === "asked" || this.#grant === "declined") return;
    const { writer } = this.#context;
    if (this.#connection === undefined || (this.#isCopyWhole && this.#retry !== undefined)) {
      this.#copy.addBody(writer.buffer, part);
      this.#boundCopy();
    } else this.#isCopyWhole = false;
    if (this.#connection === undefined) return;
    this.isSent = this.#isRequestEnded;
    this.#startTryIdle();
    this.#owner.info.upstreamBytesSent += part.end - part.start;
    this.#connection.sendBody(part.start, part.end, part.isEnd);
  }

  /** The lines arena[start, end) of the staging window: with them the request is over. */
  sendTrailers(start: number, end: number): void {
    if (this.#phase === "idle") return;
    this.#onRequestEnd();
    const { writer } = this.#context;
    if (this.#connection === undefined || (this.#isCopyWhole && this.#retry !== undefined)) {
      this.#copy.addTrailers(writer.buffer, start, end);
      this.#boundCopy();
    } else this.#isCopyWhole = false;
    if (this.#connection === undefined) return;
    this.isSent = true;
    this.#connection.sendTrailers(start, end);
  }

  sendMetadata(metadata: Metadata): void {
    if (this.#phase === "idle") return;
    if (this.#connection === undefined) this.#copy.addMetadata(metadata);
    else this.#connection.sendMetadata(metadata);
  }

  /** The client left, or the request was answered without the upstream. */
  cancel(): void {
    if (this.#phase === "waiting") this.#pool?.cancel(this);
    this.#abandonConnection();
    this.#settle();
  }

  /** The client takes bytes again, or no more. */
  setResponseReading(on: boolean): void {
    this.#connection?.setReading(on);
  }

  nextDeadlineMs(): number {
    return this.#times.nextMs();
  }

  /** Acts on what is due. */
  onDeadline(nowMs: number): void {
    const due = this.#times.due(nowMs);
    switch (due) {
      case "response":
        return this.#onTimeout(clusterStat.rqTimeout, failures.timeout);
      case "try":
        return this.#onTryTimeout(clusterStat.rqPerTryTimeout, failures.perTryTimeout);
      case "tryIdle":
        return this.#onTryTimeout(clusterStat.rqPerTryIdleTimeout, failures.perTryIdleTimeout);
      case "tryDuration":
        return this.#onTryTimeout(clusterStat.rqMaxDuration, failures.maxStreamDuration);
      case "retry":
        this.#times.retryAtMs = never;
        return this.#tryAgain();
      case undefined:
        return;
      default:
        due satisfies never;
    }
  }

  onConnectionReady(connection: UpstreamConnection): void {
    this.#attach(connection);
    this.#sendCopy(connection);
  }

  onPoolFailure(reason: ResetReason, transportFailure: string): void {
    if (transportFailure !== "") {
      this.#owner.info.upstreamTransportFailureReason = transportFailure;
    }
    if (reason !== "overflow") this.#counts.addHost(this.#pool?.host, hostStat.rqError);
    this.#onAttemptFailed(reason, transportFailure);
  }

  onUpstreamReset(reason: ResetReason): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#pause.forget("upstream");
    if (this.#phase === "responding") {
      this.#settle();
      const { flag, words } = resetAnswers[reason];
      const details = `upstream_reset_after_response_started{${words.replaceAll(" ", "_")}}`;
      this.#owner.onResponseBroken(flag, details);
      return;
    }
    this.#counts.addHost(connection?.host, hostStat.rqError);
    if (connection !== undefined && this.#mayReplay(connection, reason)) {
      this.#hasReplayed = true;
      if (reason === "refusedStream") this.#backOff(firstBackoffMs(this.#context.worker.random));
      else this.#tryAgain();
      return;
    }
    this.#onAttemptFailed(reason, "");
  }

  onResponseHead(body: ResponseBody): void {
    const { status } = responseHead;
    const { info } = this.#owner;
    this.#counts.addHost(
      this.#connection?.host,
      status < 500 ? hostStat.rqSuccess : hostStat.rqError,
    );
    if (this.#wantsRetryOfHead(status) && this.#mayRetry()) {
      if (body.isEnd) this.#connection = undefined;
      else this.#abandonConnection();
      this.#scheduleRetry();
      return;
    }
    if (this.#grant === "none" && this.#isRedirected()) {
      if (body.isEnd) this.#connection = undefined;
      else this.#abandonConnection();
      this.#settle();
      this.#owner.onRedirected();
      return;
    }
    this.#phase = "responding";
    this.#copy.clear();
    this.#isCopyWhole = false;
    this.#times.tryAtMs = never;
    this.#startTryIdle();
    this.#counts.answered(status);
    if (this.#isRetried && status < 500) this.#counts.add(clusterStat.rqRetrySuccess);
    info.responseStartAtMs = this.#context.reactor.nowMs;
    info.upstreamBytesReceived += body.end - body.start;
    if (this.#grant === "asked") this.#onDecision(isGranted(this.form.upgradeType, status));
    if (body.isEnd) this.#complete();
    this.#owner.onResponseHead(body);
    if (this.#grant === "granted") this.#sendEarly();
  }

  onResponseBody(start: number, end: number, isEnd: boolean): void {
    this.#owner.info.upstreamBytesReceived += end - start;
    if (isEnd) this.#complete();
    else this.#startTryIdle();
    this.#owner.onResponseBody(start, end, isEnd);
  }

  onResponseTrailers(start: number, end: number): void {
    this.#complete();
    this.#owner.onResponseTrailers(start, end);
  }

  onResponseMetadata(metadata: Metadata): void {
    this.#owner.onResponseMetadata(metadata);
  }

  onUpstreamAboveHighWatermark(): void {
    this.#pause.begin("upstream");
  }

  onUpstreamBelowLowWatermark(): void {
    this.#pause.end("upstream");
  }

  /** A connection at once; else undefined: waiting, or failed (then the phase is idle). */
  #acquire(): UpstreamConnection | undefined {
    const { cluster, firstHost, hostRequest, tunnelPreface } = this.#thePlan();
    this.#phase = "sending";
    const isFirst = this.#owner.info.upstreamAttemptCount++ === 0;
    const host = (isFirst ? firstHost : undefined) ?? cluster.chooseHost(hostRequest);
    if (host === undefined) {
      this.#counts.add(clusterStat.cxNoneHealthy);
      this.#fail(failures.noHealthyUpstream);
      return undefined;
    }
    const isHttp2 = this.#owner.info.minorVersion === 2;
    const pool = poolFor(host, this.#context.upstream, { tunnelPreface, isHttp2 });
    const acquired = pool.acquire(this);
    if (typeof acquired === "object") return acquired;
    this.#owner.info.upstreamHost = host.config.address;
    this.#owner.info.upstreamHostname = host.config.hostname;
    if (acquired === "overflow") {
      this.#fail(resetFailure("overflow", "", this.#isRetried));
      return undefined;
    }
    this.#phase = "waiting";
    this.#pool = pool;
    return undefined;
  }

  #attach(connection: UpstreamConnection): void {
    this.#phase = "sending";
    this.#connection = connection;
    this.#pool = undefined;
    this.isSent = this.#isRequestEnded;
    const { info, isOutputFull } = this.#owner;
    this.#copy.sendMetadata(connection);
    info.attached(connection);
    if (info.upstreamStartAtMs === notYet) info.upstreamStartAtMs = this.#context.reactor.nowMs;
    if (isOutputFull) connection.setReading(false);
    this.#startTryTimeout();
    this.#startTryIdle();
    this.#arm("tryEndAtMs", this.#thePlan().cluster.config.maxStreamDurationMs);
  }

  /** Everything that came while there was no connection, or that is sent once more. */
  #sendCopy(connection: UpstreamConnection): void {
    this.#owner.info.upstreamBytesSent += this.#copy.length;
    this.#copy.send(this.#context.writer, this.#context.reactor.arena, connection);
    if (!this.#wantsCopy(connection)) {
      this.#copy.clear();
      this.#isCopyWhole = false;
    }
    this.#pause.end("copy");
  }

  /** A copy is worth its bytes if a policy may retry, or the connection may have died unseen. */
  #wantsCopy(connection: UpstreamConnection): boolean {
    if (this.#retry !== undefined) return this.#isCopyWhole;
    if (this.#hasReplayed) return false;
    if (connection.mayRefuse && this.#isRequestEnded) return true;
    return connection.requestCount > 1 && this.#thePlan().isRepeatable;
  }

  /** While waiting the copy bounds itself by not reading on; with a connection, by giving up on retries. */
  #boundCopy(): void {
    const { perConnectionBufferLimitBytes } = this.#thePlan().cluster.config;
    if (this.#copy.length <= perConnectionBufferLimitBytes) return;
    if (this.#connection === undefined) return this.#pause.begin("copy");
    this.#copy.clear();
    this.#isCopyWhole = false;
  }

  #onDecision(isGranted: boolean): void {
    this.#grant = isGranted ? "granted" : "declined";
    // The route's timeout is for an answer, and that has come.
    if (isGranted) this.#times.responseAtMs = never;
  }

  /** Keeps what must not be sent yet; what may be sent: nothing. */
  #hold(part: BodyPart): BodyPart {
    if (part.end > part.start || part.isEnd) {
      this.#early ??= new EarlyBytes();
      this.#early.add(this.#context.writer.buffer, part);
      this.#pause.begin("early");
    }
    return { start: part.start, end: part.start, isEnd: false };
  }

  #sendEarly(): void {
    const early = this.#early;
    const connection = this.#connection;
    if (early === undefined || connection === undefined) return;
    this.#early = undefined;
    this.#owner.info.upstreamBytesSent += early.bytes;
    early.sendTo(connection, this.#context.writer);
    this.#pause.end("early");
  }

  /** The route's timeout runs from the end of the request, as Envoy's does. */
  #onRequestEnd(): void {
    this.#isRequestEnded = true;
    this.#arm("responseAtMs", this.#thePlan().timeoutMs);
    if (this.#connection !== undefined) this.#startTryTimeout();
  }

  #startTryTimeout(): void {
    if (this.#isRequestEnded) this.#arm("tryAtMs", this.#retry?.perTryTimeoutMs ?? 0);
  }

  /** Anew with whatever goes either way. */
  #startTryIdle(): void {
    this.#arm("tryIdleAtMs", this.#times.tryIdleMs);
  }

  /** `afterMs`: from now; 0: never. */
  #arm(what: "responseAtMs" | "tryAtMs" | "tryIdleAtMs" | "tryEndAtMs", afterMs: number): void {
    if (afterMs === 0) return;
    const dueMs = this.#context.reactor.nowMs + afterMs;
    this.#times[what] = dueMs;
    this.#owner.atLatest(dueMs);
  }

  #onTimeout(offset: number, failure: ExchangeFailure): void {
    this.#counts.add(offset);
    const isResponding = this.#phase === "responding";
    if (this.#phase === "waiting") this.#pool?.cancel(this);
    if (failure.isUncounted !== true) this.#counts.timedOut(this.#connection?.host, isResponding);
    this.#abandonConnection();
    if (!isResponding) {
      this.#fail(failure);
      return;
    }
    this.#settle();
    this.#owner.onResponseBroken(failure.flag, failure.details);
  }

  #onTryTimeout(offset: number, failure: ExchangeFailure): void {
    this.#times.endTry();
    if (this.#phase === "responding") return this.#onTimeout(offset, failure);
    this.#counts.add(offset);
    if (failure.isUncounted !== true) this.#counts.timedOut(this.#connection?.host, false);
    this.#abandonConnection();
    if (this.#retry?.wantsRetryOfLocalReset() === true && this.#mayRetry()) this.#scheduleRetry();
    else this.#fail(failure);
  }

  #onAttemptFailed(reason: ResetReason, transportFailure: string): void {
    this.#connection = undefined;
    this.#pool = undefined;
    if (this.#retry?.wantsRetryOfReset(reason) === true && this.#mayRetry()) this.#scheduleRetry();
    else this.#fail(resetFailure(reason, transportFailure, this.#isRetried));
  }

  /**
   * The host did not look at the request and no policy covers that, or a used connection died before it said anything:
   * the server closed it while the request was on its way.
   */
  #mayReplay(connection: UpstreamConnection, reason: ResetReason): boolean {
    if (this.#hasReplayed || !this.#isCopyWhole || this.#copy.isEmpty) return false;
    if (reason === "refusedStream")
      return !connection.hasAnswered && this.#retry?.wantsRetryOfReset(reason) !== true;
    return (
      reason === "connectionTermination" &&
      connection.requestCount > 1 &&
      !connection.hasAnswered &&
      this.#thePlan().isRepeatable
    );
  }

  /** Who is led elsewhere has had no answer yet: Envoy counts none either. */
  #isRedirected(): boolean {
    const redirect = this.#owner.redirect();
    if (redirect === "followed") this.#counts.add(clusterStat.redirectSucceeded);
    else if (redirect === "failed") this.#counts.add(clusterStat.redirectFailed);
    return redirect === "followed";
  }

  #wantsRetryOfHead(status: number): boolean {
    const retry = this.#retry;
    if (retry === undefined) return false;
    if (retry.wantsRetryOfStatus(status)) return true;
    if (!retry.looksAtGrpcStatus) return false;
    return retry.wantsRetryOfGrpcStatus(grpcStatus(this.#context.reactor.arena.buffer));
  }

  /** Takes a retry, or counts why there is none. */
  #mayRetry(): boolean {
    const retry = this.#retry;
    if (retry === undefined || !this.#isCopyWhole) return false;
    if (!retry.hasRetriesLeft) {
      this.#counts.add(clusterStat.rqRetryLimitExceeded);
      this.#owner.info.addFlag("URX");
      return false;
    }
    this.#releaseRetry();
    if (!this.breakers.tryAcquire("retries")) {
      this.#counts.add(clusterStat.rqRetryOverflow);
      return false;
    }
    this.#holdsRetry = true;
    return true;
  }

  #scheduleRetry(): void {
    const delayMs = this.#retry?.nextBackoffMs() ?? 0;
    this.#counts.add(clusterStat.rqRetry);
    this.#counts.add(clusterStat.rqRetryBackoffExponential);
    this.#isRetried = true;
    this.#backOff(delayMs);
  }

  #backOff(delayMs: number): void {
    this.#phase = "backoff";
    this.#times.retryAtMs = this.#context.reactor.nowMs + delayMs;
    this.#owner.atLatest(this.#times.retryAtMs);
  }

  #tryAgain(): void {
    const connection = this.#acquire();
    if (connection === undefined) return;
    this.#attach(connection);
    this.#sendCopy(connection);
  }

  #fail(failure: ExchangeFailure): void {
    if (failure.isUncounted !== true) this.#counts.answered(failure.status);
    this.#settle();
    this.#owner.onExchangeFailed(failure);
  }

  #abandonConnection(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#pause.forget("upstream");
    connection?.abandon();
  }

  /** The whole response is here. */
  #complete(): void {
    this.#connection = undefined;
    const { info } = this.#owner;
    const { reactor } = this.#context;
    info.responseEndAtMs = reactor.nowMs;
    const fromMs = info.requestEndAtMs === notYet ? info.startMs : info.requestEndAtMs;
    this.#counts.lasted(reactor.nowMs - fromMs);
    this.#settle();
  }

  /** Back to idle, whatever the end was. */
  #settle(): void {
    this.#phase = "idle";
    this.#grant = "none";
    this.#releaseRetry();
    this.#copy.clear();
    this.#pool = undefined;
    this.#times.clear();
    this.#early = undefined;
    this.#pause.endAll();
  }

  #releaseRetry(): void {
    if (!this.#holdsRetry) return;
    this.#holdsRetry = false;
    this.breakers.release("retries");
  }

  #thePlan(): ExchangePlan {
    const plan = this.#plan;
    if (plan === undefined) throw new Error("bug: an exchange that was not started");
    return plan;
  }
}
