/**
 * One request from its head to its last byte out: checked, routed, sent through the exchange, answered,
 * counted, logged (Envoy: `ActiveStream` with the router filter). One object a downstream connection,
 * begun anew for each request, so that a request costs no allocation of its own.
 *
 * What a newcomer would get wrong: the answer may be complete before `begin` or `send` returns.
 */
import { assert } from "../../shared/common/assert.ts";
import type { ClusterAction, RouteAction } from "../../shared/config/route-config.ts";
import type { OnDemandWant } from "../../shared/protocol/on-demand.ts";
import type { DownstreamConnection } from "../network/downstream-connection.ts";
import type { ResponseFlag } from "../network/stream-info.ts";
import type { HostRequest, UpstreamCluster, UpstreamHost } from "../upstream/cluster-table.ts";
import { ActiveFraming } from "./active-framing.ts";
import { instantAfter, never } from "./deadline-timer.ts";
import { noHttpFilters } from "./filters/http-filter.ts";
import { grpcReply } from "./grpc.ts";
import type { RemoteLines } from "./headers/forwarding-fields.ts";
import type { HeadChange } from "./headers/header-mutations.ts";
import { hostRequestOf } from "./host-request.ts";
import type { HttpContext } from "./http-context.ts";
import { requestHead } from "./http1/request-head.ts";
import { responseHead } from "./http1/response-head.ts";
import type { LiveConfig } from "./live-config.ts";
import { localReplies, type LocalReplyReason } from "./local-replies.ts";
import type { ComposedRequest } from "./request-composer.ts";
import { headAsksForTunnel, RequestTraits } from "./request-traits.ts";
import { RequestWait } from "./request-wait.ts";
import { RequestInfo } from "./request-info.ts";
import { keepTexts, portOf, takeIn } from "./request-intake.ts";
import type { RequestTarget } from "./request-target.ts";
import type { LocalReply } from "./response-composer.ts";
import type { ResponseSink } from "./response-sink.ts";
import type { CompiledRoute } from "./router/compiled-route.ts";
import { type Redirect, RedirectTrail } from "./redirect-trail.ts";
import { redirectReply } from "./router/redirect-reply.ts";
import { httpStat } from "./stat-offsets.ts";
import { admittedType, noUpgrade } from "./upgrade.ts";
import type { ExchangeFailure } from "./upstream/exchange-failure.ts";
import { Exchange, type ExchangeOwner } from "./upstream/exchange.ts";
import type { ResponseBody } from "./upstream/upstream-request.ts";

const noChanges: readonly HeadChange[] = [];

/** `waiting`: for something that main was asked for; the connection keeps its bytes. */
type Phase = "none" | "active" | "waiting" | "answering";

export class ActiveRequest implements ExchangeOwner, ComposedRequest {
  readonly info: RequestInfo;
  readonly #context: HttpContext;
  readonly #exchange: Exchange;
  readonly #framing;
  /** Of the present request; the last one's while idle. */
  #connection: DownstreamConnection;
  #sink: ResponseSink;
  #phase: Phase = "none";
  #route: CompiledRoute | undefined;
  #action: ClusterAction | undefined;
  #cluster: UpstreamCluster | undefined;
  #firstHost: UpstreamHost | undefined;
  #hostRequest: HostRequest | undefined;
  /** These two are the request's from its beginning to its end. */
  #live: LiveConfig;
  #filters = noHttpFilters;
  #isFiltered = false;
  /** Made when it waits for the first time. */
  #wait: RequestWait | undefined;
  readonly #traits = new RequestTraits();
  #isSending = false;
  /** What it asks for and may have, as in `upgrade.ts`. */
  #upgradeType = noUpgrade;
  #lastActivityMs = 0;
  /** Of a request whose route follows redirects. */
  #trail: RedirectTrail | undefined;

  constructor(context: HttpContext, connection: DownstreamConnection, sink: ResponseSink) {
    this.#context = context;
    this.#connection = connection;
    this.#sink = sink;
    this.#live = context.live;
    this.#framing = new ActiveFraming(context.live);
    this.info = new RequestInfo(context, connection);
    this.#exchange = new Exchange(context, this);
  }

  /** Serves another connection from now on. Only while not active. */
  bind(connection: DownstreamConnection, sink: ResponseSink): void {
    assert(this.#phase === "none", "a request under way was given to another connection");
    this.#connection = connection;
    this.#sink = sink;
    this.info.bind(connection);
  }

  get isActive(): boolean {
    return this.#phase !== "none";
  }

  /** `begin` or `resume` came to no decision: `onWaitEnd` follows, or an answer. */
  get isWaiting(): boolean {
    return this.#phase === "waiting";
  }

  get isOutputFull(): boolean {
    return this.#sink.isOutputFull;
  }

  /** What it asks for and may have, as in `upgrade.ts`. */
  get upgradeType(): string {
    return this.#upgradeType;
  }

  /** Filters have changed the head: our own fields stand beside it already. */
  get isFiltered(): boolean {
    return this.#isFiltered;
  }

  get isRedirected(): boolean {
    return this.#trail !== undefined && this.#trail.redirects > 0;
  }

  get target(): RequestTarget {
    return this.#context.view.target;
  }

  /** The lines that tell the upstream the peer's address. */
  get remoteLines(): RemoteLines {
    const { remoteAddress } = this.#connection.facts;
    return this.#context.remoteLines.of(remoteAddress.kind === "ip" ? remoteAddress.ip : "");
  }

  /** `requestHead` holds the request. Unless it is answered at once, its upstream head is composed: `send` follows. */
  begin(): void {
    this.#open(requestHead.minorVersion);
    this.#traits.read(this.#context.reactor.arena.bytes);
    this.#proceed();
  }

  #open(minorVersion: number): void {
    const context = this.#context;
    const { reactor } = context;
    this.#phase = "active";
    this.#route = undefined;
    this.#action = undefined;
    this.#takeLive();
    this.#isFiltered = false;
    this.#isSending = false;
    this.#upgradeType = noUpgrade;
    this.#lastActivityMs = reactor.nowMs;
    this.info.begin(reactor.nowMs, minorVersion);
    context.count(httpStat.rqTotal);
    context.count(this.#sink.isHttp2 ? httpStat.rqHttp2Total : httpStat.rqHttp1Total);
    context.add(httpStat.rqActive, 1);
  }

  /**
   * After its wait, with its head parsed again: as `begin`, but it is no new request. Nothing was decided before the
   * wait, so the configuration of this moment is its own from now on.
   */
  resume(): void {
    this.#phase = "active";
    // A body that seemed to come in parts may have turned out to be none (HTTP/2).
    this.#traits.isChunked = requestHead.fields.isChunked;
    this.#live.requestEnded();
    this.#takeLive();
    this.#proceed();
  }

  #takeLive(): void {
    const { live } = this.#context;
    this.#live = live;
    this.#filters = live.filters.current;
    this.#framing.live = live;
    live.requestBegan();
  }

  #proceed(): void {
    if (this.#sink.isRequestComplete) this.info.requestEndAtMs = this.#context.reactor.nowMs;
    const problem = takeIn(this.info, this.#context, this.#live, this.#connection);
    if (problem === undefined) return this.#routeRequest();
    // What is refused for want of room may be asked again on the same connection.
    if (problem !== "overload") this.#sink.closeAfterResponse();
    this.#reply(problem);
  }

  /** A head that could not be read: answered as a request all the same, and logged. */
  refuse(reason: LocalReplyReason): void {
    const { reactor } = this.#context;
    this.#phase = "active";
    this.#route = undefined;
    this.#takeLive();
    this.#traits.clear();
    this.info.begin(reactor.nowMs, this.#sink.isHttp2 ? 2 : 1);
    this.#context.count(httpStat.rqTotal);
    this.#context.add(httpStat.rqActive, 1);
    this.#reply(reason);
  }

  /** A request that cannot be answered either: counted and logged when the codec resets it. */
  refuseSilently(): void {
    this.#open(2);
  }

  /** Sends what `begin` composed, with the first part of the decoded body. */
  send(start: number, end: number, isEnd: boolean): void {
    const action = this.#action;
    this.info.bytesReceived += end - start;
    if (this.#phase !== "active" || action === undefined) return;
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    this.#isSending = true;
    this.#trail?.keepBody(this.#context.writer.buffer, start, end);
    const plan = {
      cluster,
      action,
      firstHost: this.#firstHost,
      isHeadRequest: this.#traits.isHead,
      hostRequest: this.#hostRequest,
      isRepeatable: this.#traits.isRepeatable && isEnd && start === end,
      isChunked: this.#traits.isChunked,
      upgradeType: this.#upgradeType,
      endsTunnel: this.#traits.endsTunnel(action, this.#upgradeType),
    };
    this.#exchange.start(plan, { start, end, isEnd });
  }

  /** A further part of the decoded body. */
  sendBody(start: number, end: number, isEnd: boolean): void {
    this.info.bytesReceived += end - start;
    this.#lastActivityMs = this.#context.reactor.nowMs;
    if (isEnd) this.info.requestEndAtMs = this.#lastActivityMs;
    if (this.#phase === "none" || !this.#isSending) return;
    this.#trail?.keepBody(this.#context.writer.buffer, start, end);
    this.#exchange.sendBody({ start, end, isEnd });
  }

  /** The lines arena[start, end) of the staging window, each `name: value` CRLF: with them the request is over. */
  sendTrailers(start: number, end: number): void {
    this.#lastActivityMs = this.#context.reactor.nowMs;
    this.info.requestEndAtMs = this.#lastActivityMs;
    if (this.#phase === "none" || !this.#isSending) return;
    this.#exchange.sendTrailers(start, end);
  }

  /** The rest of the request makes no sense. */
  onRequestMalformed(): void {
    if (this.#phase === "active") {
      this.#exchange.cancel();
      this.#reply("malformed");
    } else if (this.#phase === "answering") this.#break("DPE", "http1.codec_error");
  }

  /** The client went away. */
  onClientGone(): void {
    this.#abort(httpStat.rqRxReset, "DC", "downstream_remote_disconnect");
  }

  /** The client gave it up; its connection stays. */
  onResetByClient(): void {
    this.#abort(httpStat.rqRxReset, "DR", "http2.remote_reset");
  }

  /** We give it up, for what the client sent makes no sense; nobody is told but by the codec. */
  onResetByCodec(details: string): void {
    this.#abort(httpStat.rqTxReset, "DPE", details);
  }

  #abort(offset: number, flag: ResponseFlag, details: string): void {
    if (this.#phase === "none") return;
    this.#exchange.cancel();
    this.info.addFlag(flag);
    this.info.responseCodeDetails = details;
    this.#context.count(offset);
    this.#finish();
  }

  setResponseReading(on: boolean): void {
    this.#exchange.setResponseReading(on);
  }

  nextDeadlineMs(): number {
    if (this.#phase === "none") return never;
    return Math.min(
      this.#idleAtMs,
      this.#durationEndsAtMs,
      this.#requestDueMs(),
      this.#exchange.nextDeadlineMs(),
    );
  }

  #requestDueMs(): number {
    if (this.#sink.isRequestComplete || this.#upgradeType !== noUpgrade) return never;
    return instantAfter(this.info.startMs, this.#live.config.requestTimeoutMs);
  }

  onDeadline(nowMs: number): void {
    if (nowMs >= this.#exchange.nextDeadlineMs()) this.#exchange.onDeadline(nowMs);
    if (this.#phase === "none") return;
    // What is due next may be the exchange's again: a retry without delay.
    if (nowMs >= this.#idleAtMs) this.#timeOut(httpStat.rqIdleTimeout, "streamIdle");
    else if (nowMs >= this.#durationEndsAtMs) this.#timeOut(httpStat.rqMaxDuration, "maxDuration");
    else if (nowMs >= this.#requestDueMs()) this.#timeOut(httpStat.rqTimeout, "requestTimeout");
  }

  onResponseHead(body: ResponseBody): void {
    this.#lastActivityMs = this.#context.reactor.nowMs;
    const { info } = this;
    const framing = this.#framing;
    info.responseCode = responseHead.status;
    info.responseCodeDetails = "via_upstream";
    const isHttp10 = info.minorVersion === 0;
    const upgradeType = this.#upgradeType;
    const { isHttp2 } = this.#sink;
    const isUnframed = framing.setFor(
      { isHttp10, isHttp2, isHead: this.#traits.isHead, upgradeType },
      body,
    );
    // One that was declined has no end that the next request could follow.
    if (!framing.isTunnel && upgradeType !== noUpgrade) this.#sink.closeAfterResponse();
    framing.closes = !framing.isTunnel && (this.#sink.decidesToClose() || isUnframed);
    this.#phase = "answering";
    if (!this.#context.responseComposer.compose(info, this.#responseChanges, framing)) {
      this.#exchange.cancel();
      this.#phase = "active";
      this.#reply("responseTooLarge");
      return;
    }
    info.bytesSent += body.end - body.start;
    if (framing.isTunnel) this.#sink.onTunnel(this.#upgradeType);
    this.#sink.sendHead(body, framing.isChunked);
    if (body.isEnd) this.#end();
  }

  redirect(): Redirect {
    const listenerPort = portOf(this.#connection.listener.addresses[0]);
    const { isRequestComplete } = this.#sink;
    const downstream = { listenerPort, isRequestComplete };
    return this.#trail?.judge(this.#route, downstream, this.#context) ?? "none";
  }

  /** One request ends here, unanswered, and the next one begins: Envoy counts and logs both. */
  onRedirected(): void {
    const { info } = this;
    info.responseCode = responseHead.status;
    info.responseCodeDetails = "internal_redirect";
    const trail = this.#trail;
    this.#finish(false);
    this.#trail = trail;
    this.#open(info.minorVersion);
    this.#phase = "waiting";
    this.#goOnLater();
  }

  /** When the connection of the answer is back in its pool. */
  #goOnLater(): void {
    const trail = this.#trail;
    this.#context.reactor.atRoundEnd(() => {
      if (trail === undefined || trail !== this.#trail || this.#phase !== "waiting") return;
      const { arena } = this.#context.reactor;
      trail.layOut(arena);
      this.#traits.read(arena.bytes);
      this.resume();
      if (!this.isWaiting) trail.sendBody(this, arena);
      if (this.isActive) this.#sink.atLatest(this.nextDeadlineMs());
    });
  }

  onResponseBody(start: number, end: number, isEnd: boolean): void {
    this.#lastActivityMs = this.#context.reactor.nowMs;
    this.info.bytesSent += end - start;
    this.#sink.sendBody(start, end, isEnd);
    if (isEnd) this.#end();
  }

  onResponseTrailers(start: number, end: number): void {
    this.#lastActivityMs = this.#context.reactor.nowMs;
    this.#sink.sendTrailers(start, end);
    this.#end();
  }

  onExchangeFailed(failure: ExchangeFailure): void {
    this.info.addFlag(failure.flag);
    this.info.responseCodeDetails = failure.details;
    const fields = failure.isOverloaded ? [["x-envoy-overloaded", "true"] as const] : [];
    this.#sendLocal({ status: failure.status, body: failure.body, fields });
  }

  onResponseBroken(flag: ResponseFlag, details: string): void {
    this.#context.count(httpStat.rqResetAfterStart);
    this.#break(flag, details);
  }

  setRequestReading(on: boolean): void {
    this.#sink.setRequestReading(on);
  }

  atLatest(dueMs: number): void {
    this.#sink.atLatest(dueMs);
  }

  /** The router's own come first: filters see what it did. */
  get #responseChanges(): readonly HeadChange[] {
    const ofRoute = this.#route?.responseMutations ?? noChanges;
    const { ofResponses } = this.#filters;
    return ofResponses.length === 0 ? ofRoute : [...ofRoute, ...ofResponses];
  }

  get #idleAtMs(): number {
    const limitMs = this.#action?.idleTimeoutMs ?? this.#live.config.streamIdleTimeoutMs;
    return instantAfter(this.#lastActivityMs, limitMs);
  }

  get #durationEndsAtMs(): number {
    return instantAfter(this.info.startMs, this.#live.config.maxStreamDurationMs);
  }

  #routeRequest(): void {
    const context = this.#context;
    // A route is found by the head as it came: filters do not change it, as in Envoy.
    const route = context.routeTable()?.find(context.view);
    if (this.#live.isScoped && !context.requestCapture.isEmpty) keepTexts(this.info, context);
    // Filters see it once: when there is nothing left to wait for.
    if (route === undefined && this.#waitsFor(context.missingRoute())) return;
    if (
      headAsksForTunnel(this.target.isConnect, context.reactor.arena) &&
      !this.#admitsUpgrade(route?.action)
    ) {
      this.#sink.closeAfterResponse();
      return this.#reply("upgrade");
    }
    const cluster = route === undefined ? "" : (route.chooseCluster(context.view) ?? "");
    if (route !== undefined && this.#waitsFor(this.#live.missingCluster(route, cluster))) return;
    if (route !== undefined) {
      this.info.routeName = route.name;
      this.info.virtualHostName = route.virtualHostName;
    }
    const refusal = this.#filters.ofRequests.length > 0 ? this.#filterRequest() : undefined;
    if (refusal !== undefined) return this.#reply(refusal);
    // The router's count: of all that reach it, wherever they are answered.
    context.count(httpStat.routerRqTotal);
    if (route === undefined) {
      context.count(httpStat.noRoute);
      this.#reply("noRoute");
      return;
    }
    this.#route = route;
    const { action } = route;
    switch (action.kind) {
      case "cluster":
        this.#toCluster(route, action, cluster);
        break;
      case "directResponse":
        context.count(httpStat.rqDirectResponse);
        this.info.responseCodeDetails = "direct_response";
        this.#sendLocal({ status: action.status, body: action.body, fields: [] });
        break;
      case "redirect":
        context.count(httpStat.rqDirectResponse);
        this.info.responseCodeDetails = "direct_response";
        this.#sendLocal(redirectReply(action, route.rewrite, context.view));
        break;
      default:
        action satisfies never;
    }
  }

  /** Counts one that is admitted. False: it asks for what it may not have. */
  #admitsUpgrade(action: RouteAction | undefined): boolean {
    const { buffer } = this.#context.reactor.arena;
    const ofRoute = action?.kind === "cluster" ? action.upgrades : [];
    this.#upgradeType = admittedType(requestHead, buffer, this.#live.config.upgrades, ofRoute);
    // Envoy says of CONNECT, and of that alone, that no route is there before it says that it may not be.
    if (this.#upgradeType === noUpgrade) return this.target.isConnect && action === undefined;
    this.#context.count(httpStat.cxUpgradesTotal);
    this.#context.add(httpStat.cxUpgradesActive, 1);
    return true;
  }

  #filterRequest(): LocalReplyReason | undefined {
    const { requestComposer, reactor } = this.#context;
    const extra = requestComposer.prepare(this);
    this.#isFiltered = true;
    let refusal: LocalReplyReason | undefined;
    for (const filter of this.#filters.ofRequests) {
      refusal = filter.onRequest?.(reactor.arena.bytes, extra, this.info);
      if (refusal !== undefined) break;
    }
    requestComposer.capture(this.info);
    return refusal;
  }

  #waitsFor(want: OnDemandWant | undefined): boolean {
    if (want === undefined) return false;
    const { onDemand } = this.#context.worker;
    this.#wait ??= new RequestWait(onDemand, () => {
      if (this.isRedirected) this.#goOnLater();
      else this.#sink.onWaitEnd();
    });
    if (!this.#wait.begin(want)) return false;
    this.#phase = "waiting";
    return true;
  }

  #toCluster(route: CompiledRoute, action: ClusterAction, name: string): void {
    const cluster = this.#context.worker.clusters.get(name);
    if (cluster === undefined) {
      this.#context.count(httpStat.noCluster);
      return this.#reply("noCluster", action.clusterNotFoundStatus);
    }
    this.info.upstreamCluster = cluster.config.name;
    this.#action = action;
    this.#cluster = cluster;
    this.#hostRequest = hostRequestOf(cluster, this.#context.view, this.#connection.facts);
    this.#firstHost =
      action.hostRewrite?.kind === "auto" ? cluster.chooseHost(this.#hostRequest) : undefined;
    if (
      !this.#context.requestComposer.compose(this, route, this.#firstHost?.config.hostname ?? "")
    ) {
      this.#action = undefined;
      this.#reply("headTooLarge");
      return;
    }
    if (action.internalRedirect !== undefined) this.#keepTrail(cluster);
  }

  #keepTrail({ config }: UpstreamCluster): void {
    const { writer, isTls, view } = this.#context;
    if (this.target.isConnect || this.#upgradeType !== noUpgrade) return;
    this.#trail ??= new RedirectTrail(config.perConnectionBufferLimitBytes);
    this.#trail.keepHead(writer, isTls && view.scheme() === "https");
  }

  #reply(reason: LocalReplyReason, status = 0): void {
    const reply = localReplies[reason];
    if (reply.flag !== undefined) this.info.addFlag(reply.flag);
    this.info.responseCodeDetails = reply.details;
    this.#sendLocal({ status: status || reply.status, body: reply.body, fields: [] });
  }

  #sendLocal(given: LocalReply): void {
    const reply = this.#traits.isGrpc ? grpcReply(given, this.#traits.isHead) : given;
    const { writer } = this.#context;
    const framing = this.#framing;
    this.#phase = "answering";
    this.info.responseCode = reply.status;
    this.info.bytesSent += this.#traits.isHead ? 0 : Buffer.byteLength(reply.body);
    const isHttp10 = this.info.minorVersion === 0 && this.#live.config.acceptHttp10;
    framing.setForLocal({ isHttp10, isHttp2: this.#sink.isHttp2, isHead: this.#traits.isHead });
    framing.closes = this.#sink.decidesToClose() || !this.#sink.isRequestComplete;
    const { responseComposer } = this.#context;
    const end = responseComposer.composeLocal(this.info, reply, framing, this.#responseChanges);
    this.#sink.sendHead({ start: writer.at, end, isEnd: true }, false);
    this.#end();
  }

  /** A deadline passed: an answer if there was none yet, else the end of the connection. */
  #timeOut(offset: number, reason: "streamIdle" | "maxDuration" | "requestTimeout"): void {
    this.#context.count(offset);
    const isAnswering = this.#phase === "answering";
    this.#exchange.cancel();
    if (isAnswering) this.#break(localReplies[reason].flag ?? "SI", localReplies[reason].details);
    // Envoy: who has sent the whole request is not the one that was slow.
    else this.#reply(reason, this.#sink.isRequestComplete ? 504 : 0);
  }

  #break(flag: ResponseFlag, details: string): void {
    this.#exchange.cancel();
    this.info.addFlag(flag);
    this.info.responseCodeDetails = details;
    this.#context.count(httpStat.rqTxReset);
    const isFramed = !(this.info.minorVersion === 0 && !this.#framing.isChunked);
    this.#finish();
    this.#sink.onResponseBroken(isFramed);
  }

  #end(): void {
    if (!this.#sink.isRequestComplete) this.#context.count(httpStat.rqResponseBeforeComplete);
    this.#finish();
    this.#sink.onResponseEnd();
  }

  /** Counts and logs; the object may begin the next request. */
  #finish(isAnswered = true): void {
    const { reactor } = this.#context;
    const { info } = this;
    this.#phase = "none";
    this.#trail = undefined;
    this.#wait?.end();
    this.#isSending = false;
    this.#action = undefined;
    this.#cluster = undefined;
    this.#firstHost = undefined;
    info.endMs = reactor.nowMs;
    this.#context.add(httpStat.rqActive, -1);
    if (this.#upgradeType !== noUpgrade) this.#context.add(httpStat.cxUpgradesActive, -1);
    this.#upgradeType = noUpgrade;
    if (isAnswered && info.responseCode > 0) {
      this.#context.countResponse(info.responseCode);
      this.#context.record(httpStat.rqTime, info.endMs - info.startMs);
    }
    this.#live.accessLogger?.log(info);
    this.#live.requestEnded();
  }
}
