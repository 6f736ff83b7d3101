/**
 * One request from its head to its last byte out: checked, routed, sent through the exchange, answered,
 * counted, logged (Envoy: `ActiveStream` with the router filter). One object a downstream connection,
 * begun anew for each request, so that a request costs no allocation of its own.
 *
 * What a newcomer would get wrong: the answer may be complete before `begin` or `send` returns.
 */
import { assert } from "../../../shared/common/assert.ts";
import type { ClusterAction } from "../../../shared/config/route-config.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { UpgradedConnection } from "../../../shared/protocol/moved-connection.ts";
import type { OnDemandWant } from "../../../shared/protocol/on-demand.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { ResponseFlag } from "../../network/stream-info.ts";
import { never } from "../deadline-timer.ts";
import { type FilterPlace, noHttpFilters, placesFor } from "../filters/http-filter.ts";
import { FilteredRequest, type FilteredOwner } from "./filtered-request.ts";
import { isGrpcRequest } from "../grpc.ts";
import { filterHead, responseChanges } from "./head-filters.ts";
import type { Abort } from "./abort.ts";
import type { RequestLimits } from "./grpc-timeouts.ts";
import type { RemoteLines } from "../headers/forwarding-fields.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { HttpContext } from "../http-context.ts";
import { requestHead } from "../http1/request-head.ts";
import { responseHead } from "../http1/response-head.ts";
import type { LiveConfig } from "../live-config.ts";
import { leavesOpen, localReplies, type LocalReplyReason } from "../composer/local-replies.ts";
import { OutgoingRequest } from "./outgoing-request.ts";
import type { ComposedRequest } from "../composer/request-composer.ts";
import { type Overdue, overdueStats, RequestTimes } from "./request-times.ts";
import { RequestWait } from "./request-wait.ts";
import {
  hostGone,
  type RequestParts,
  resumeRequest,
  tellRequest,
  type ToldRequest,
} from "./moved-request.ts";
import { RequestInfo } from "./request-info.ts";
import { ResponseWay } from "./response-way.ts";
import { type Found, keepTexts, noteRoute, takeIn } from "./request-intake.ts";
import type { RequestTarget } from "./request-target.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import type { ResponseSink } from "./response-sink.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";
import type { Redirect } from "./redirect-trail.ts";
import { noUpgrade } from "./upgrade.ts";
import { routeReply } from "../router/route-reply.ts";
import { httpStat } from "../stat-offsets.ts";
import type { ExchangeFailure } from "../upstream/exchange-failure.ts";
import { Exchange } from "../upstream/exchange.ts";
import type { ExchangeOwner } from "../upstream/exchange-plan.ts";
import type { ResponseBody } from "../upstream/upstream-request.ts";

/** `waiting`: for something that main was asked for; the connection keeps its bytes. */
type Phase = "none" | "active" | "waiting" | "answering";

export class ActiveRequest implements ExchangeOwner, ComposedRequest {
  readonly info: RequestInfo;
  readonly #context: HttpContext;
  readonly #exchange: Exchange;
  readonly #outgoing: OutgoingRequest;
  readonly #response: ResponseWay;
  readonly #times: RequestTimes;
  readonly #parts: RequestParts;
  /** Of the present request; the last one's while idle. */
  #connection: DownstreamConnection;
  #sink: ResponseSink;
  #phase: Phase = "none";
  #route: CompiledRoute | undefined;
  #contentLength = -1;
  /** Of a request whose filters see more than heads. */
  #filtered: FilteredRequest | undefined;
  /** Made with the first of these. */
  #idleFiltered: FilteredRequest | undefined;
  /** These two are the request's from its beginning to its end. */
  #live: LiveConfig;
  #filters = noHttpFilters;
  #isFiltered = false;
  /** Made when it waits for the first time. */
  #wait: RequestWait | undefined;

  constructor(context: HttpContext, connection: DownstreamConnection, sink: ResponseSink) {
    this.#context = context;
    this.#connection = connection;
    this.#sink = sink;
    this.#live = context.live;
    this.info = new RequestInfo(context, connection);
    this.#response = new ResponseWay(context, this.info, sink);
    this.#exchange = new Exchange(context, this);
    this.#outgoing = new OutgoingRequest(context, this, this.#exchange, this.#response);
    this.#times = new RequestTimes(this.info, this.#outgoing);
    const { info } = this;
    this.#parts = {
      context,
      info,
      outgoing: this.#outgoing,
      exchange: this.#exchange,
      times: this.#times,
    };
  }

  /** Serves another connection from now on. Only while not active. */
  bind(connection: DownstreamConnection, sink: ResponseSink): void {
    assert(this.#phase === "none", "a request under way was given to another connection");
    this.#connection = connection;
    this.#sink = sink;
    this.#response.bind(sink);
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
    return this.#outgoing.upgradeType;
  }

  get limits(): RequestLimits {
    return this.#outgoing.limits;
  }

  /** Filters have changed the head: our own fields stand beside it already. */
  get isFiltered(): boolean {
    return this.#isFiltered;
  }

  /** It follows a redirect: the connection manager has done its part already. */
  get isRedirected(): boolean {
    return this.#outgoing.isRedirected;
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
    this.#readHead();
    this.#proceed();
  }

  #open(minorVersion: number): void {
    this.#context.count(httpStat.rqTotal);
    this.#clear(minorVersion);
  }

  #clear(minorVersion: number): void {
    const { nowMs } = this.#context.reactor;
    this.#phase = "active";
    this.#route = undefined;
    this.#response.isGrpc = false;
    this.#response.isHead = false;
    this.#takeLive();
    this.#isFiltered = false;
    this.#times.lastActivityMs = nowMs;
    this.info.begin(nowMs, minorVersion);
    this.#context.add(httpStat.rqActive, 1);
  }

  /** What another process has to know, to go on with it; undefined: it ends here, like any that filters have their eyes on. */
  tell(): ToldRequest | undefined {
    return this.#filtered === undefined ? tellRequest(this.#parts) : undefined;
  }

  /** Another process has it. */
  leave(): void {
    this.#exchange.leave();
    this.#close();
  }

  /** It has left another process. */
  goOn(moved: UpgradedConnection): void {
    this.#clear(1);
    this.#phase = "answering";
    if (!resumeRequest(this.#parts, moved)) this.#break("UC", hostGone);
  }

  #readHead(): void {
    const { isHttp2 } = this.#sink;
    this.#context.count(isHttp2 ? httpStat.rqHttp2Total : httpStat.rqHttp1Total);
    this.#outgoing.begin();
    this.#response.isHead = this.#outgoing.isHead;
    this.#response.isGrpc = isGrpcRequest(this.#context.reactor.arena.bytes);
  }

  /**
   * After its wait, with its head parsed again: as `begin`, but it is no new request. Nothing was decided before the
   * wait, so the configuration of this moment is its own from now on.
   */
  resume(): void {
    this.#phase = "active";
    // A body that seemed to come in parts may have turned out to be none (HTTP/2).
    this.#outgoing.isChunked = requestHead.fields.isChunked;
    this.#live.requestEnded();
    this.#takeLive();
    this.#proceed();
  }

  #takeLive(): void {
    const { live } = this.#context;
    this.#live = live;
    this.#filters = live.filters.current;
    this.#response.begin();
    live.requestBegan();
  }

  #proceed(): void {
    if (this.#sink.isRequestComplete) this.info.requestEndAtMs = this.#context.reactor.nowMs;
    const problem = takeIn(this.info, this.#context, this.#live, this.#connection);
    if (problem === undefined) return this.#routeRequest();
    if (!leavesOpen(problem, this.#live.config.http1)) this.#sink.closeAfterResponse();
    this.#reply(problem);
  }

  /** A head that could not be read: answered as a request all the same, and logged. */
  refuse(reason: LocalReplyReason): void {
    this.#open(this.#sink.isHttp2 ? 2 : 1);
    this.#reply(reason);
  }

  /** A request that cannot be answered either: counted and logged when the codec resets it. */
  refuseSilently(): void {
    this.#open(2);
    this.#context.count(httpStat.rqHttp2Total);
  }

  /** Sends what `begin` composed, with the first part of the decoded body. */
  send(start: number, end: number, isEnd: boolean): void {
    this.info.bytesReceived += end - start;
    if (this.#phase !== "active") return;
    if (this.#filtered === undefined) this.#outgoing.send(start, end, isEnd);
    else this.#filtered.manager.decodeData(start, end, isEnd);
  }

  /** A further part of the decoded body. */
  sendBody(start: number, end: number, isEnd: boolean): void {
    this.info.bytesReceived += end - start;
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    if (isEnd) this.info.requestEndAtMs = this.#times.lastActivityMs;
    if (this.#phase === "none") return;
    if (this.#filtered !== undefined) this.#filtered.manager.decodeData(start, end, isEnd);
    else if (this.#outgoing.isSending) this.#outgoing.send(start, end, isEnd);
  }

  /** The lines arena[start, end) of the staging window, each `name: value` CRLF: with them the request is over. */
  sendTrailers(start: number, end: number): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    this.info.requestEndAtMs = this.#times.lastActivityMs;
    if (this.#phase === "none") return;
    if (this.#filtered !== undefined) this.#filtered.manager.decodeTrailers();
    else this.#outgoing.sendTrailers(start, end);
  }

  sendMetadata(metadata: Metadata): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    if (this.#phase === "none") return;
    (this.#filtered?.manager.decode ?? this.#outgoing).sendMetadata(metadata);
  }

  /** The rest of the request makes no sense. */
  onRequestMalformed(): void {
    if (this.#phase === "active") {
      this.#exchange.cancel();
      this.#reply("malformed");
    } else if (this.#phase === "answering") this.#break("DPE", "http1.codec_error");
  }

  abort({ offset, flag, details }: Abort): void {
    if (this.#phase === "none") return;
    this.#exchange.cancel();
    this.info.note(details, flag);
    this.#context.count(offset);
    this.#finish();
  }

  /** Its connection is told. */
  onDrain(drain: DrainStart): void {
    this.#outgoing.onDrain(drain);
  }

  setResponseReading(on: boolean): void {
    this.#exchange.setResponseReading(on && this.#filtered?.isResponseHeld !== true);
  }

  nextDeadlineMs(): number {
    if (this.#phase === "none") return never;
    return Math.min(this.#times.nextMs(this.#live, this.#sink), this.#exchange.nextDeadlineMs());
  }

  onDeadline(nowMs: number): void {
    if (nowMs >= this.#exchange.nextDeadlineMs()) this.#exchange.onDeadline(nowMs);
    this.#outgoing.webSocket?.onDeadline(nowMs);
    if (this.#phase === "none") return;
    // What is due next may be the exchange's again: a retry without delay.
    const reason = this.#times.overdue(nowMs, this.#live, this.#sink);
    if (reason !== undefined) this.#timeOut(reason);
  }

  onResponseHead(body: ResponseBody): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    const { start, end, isEnd } = body;
    const manager = this.#filtered?.manager;
    this.#contentLength =
      manager?.beginResponse(body, this.#response.hasNoBody) ?? body.contentLength;
    if (!this.#composeResponse(isEnd && start === end)) return;
    if (manager === undefined) this.#sendResponse(start, end, isEnd);
    else if (manager.endComposing()) manager.encodeData(start, end, isEnd);
  }

  /** Of the head that was parsed last. False: it is answered otherwise. */
  #composeResponse(isEmpty: boolean, contentLength = this.#contentLength): boolean {
    this.#phase = "answering";
    const isComposed = this.#response.compose({
      contentLength,
      isEmpty,
      upgradeType: this.#outgoing.upgradeType,
      webSocket: this.#outgoing.webSocket,
      live: this.#live,
      changes: this.#responseChanges,
    });
    if (isComposed) return true;
    this.#exchange.cancel();
    this.#phase = "active";
    this.#reply("responseTooLarge");
    return false;
  }

  #sendResponse(start: number, end: number, isEnd: boolean): void {
    this.#response.send(start, end, isEnd);
    if (isEnd) this.#end();
  }

  redirect(): Redirect {
    return this.#outgoing.redirect(this.#route, this.#connection, this.#sink);
  }

  /** One request ends here, unanswered, and the next one begins: Envoy counts and logs both. */
  onRedirected(): void {
    const { info } = this;
    info.responseCode = responseHead.status;
    info.responseCodeDetails = "internal_redirect";
    const trail = this.#outgoing.takeTrail();
    this.#finish(false);
    this.#outgoing.trail = trail;
    this.#open(info.minorVersion);
    this.#phase = "waiting";
    this.#goOnLater();
  }

  /** When the connection of the answer is back in its pool. */
  #goOnLater(): void {
    const { trail } = this.#outgoing;
    this.#context.reactor.atRoundEnd(() => {
      if (trail === undefined || trail !== this.#outgoing.trail || this.#phase !== "waiting")
        return;
      const { arena } = this.#context.reactor;
      trail.layOut(arena);
      this.#readHead();
      this.resume();
      if (!this.isWaiting) trail.sendBody(this, arena);
      if (this.isActive) this.#sink.atLatest(this.nextDeadlineMs());
    });
  }

  onResponseBody(start: number, end: number, isEnd: boolean): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    if (this.#filtered === undefined) this.#sendResponse(start, end, isEnd);
    else this.#filtered.manager.encodeData(start, end, isEnd);
  }

  onResponseTrailers(start: number, end: number): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    if (this.#filtered === undefined) this.#sendResponseTrailers(start, end);
    else this.#filtered.manager.encodeTrailers();
  }

  onResponseMetadata(metadata: Metadata): void {
    this.#times.lastActivityMs = this.#context.reactor.nowMs;
    (this.#filtered?.manager.encode ?? this.#response).sendMetadata(metadata);
  }

  #sendResponseTrailers(start: number, end: number): void {
    this.#response.sendTrailers(start, end);
    this.#end();
  }

  onExchangeFailed(failure: ExchangeFailure): void {
    this.info.note(failure.details, failure.flag);
    const fields = failure.isOverloaded ? [["x-envoy-overloaded", "true"] as const] : [];
    this.#sendLocal({ status: failure.status, body: failure.body, fields });
  }

  onResponseBroken(flag: ResponseFlag, details: string): void {
    // Envoy's own end of it, where its host would have gone on.
    if (flag !== "UMSDR") this.#context.count(httpStat.rqResetAfterStart);
    if (this.#response.isHeadSent) return this.#break(flag, details);
    // A filter has kept the head so far: there can still be an answer.
    this.info.note(details, flag);
    this.#sendLocal({ status: 503, body: "", fields: [] });
  }

  setRequestReading(on: boolean): void {
    if (this.#filtered === undefined) this.#sink.setRequestReading(on);
    else this.#filtered.setRequestReading(on);
  }

  atLatest(dueMs: number): void {
    this.#sink.atLatest(dueMs);
  }

  get #responseChanges(): readonly HeadChange[] {
    return responseChanges(this.#route, this.#filters, this.#filtered?.manager);
  }

  #routeRequest(): void {
    const context = this.#context;
    // A route is found by the head as it came: filters do not change it, as in Envoy.
    const route = context.routeTable()?.find(context.view);
    if (this.#live.isScoped && !context.requestCapture.isEmpty) keepTexts(this.info, context);
    const upgradeType = this.#outgoing.upgradeTypeFor(route?.action, this.#live.config);
    const chain = this.#live.filtersFor(upgradeType ?? noUpgrade);
    const cluster = route === undefined ? "" : (route.chooseCluster(context.view) ?? "");
    // Filters see it once, and upgrades are counted once: when there is nothing left to wait for.
    const { onDemand } = chain.current;
    if (onDemand && this.#waitsFor(this.#live.missing(context.view, { route, cluster }, onDemand)))
      return;
    if (upgradeType === undefined) {
      this.#sink.closeAfterResponse();
      return this.#reply("upgrade");
    }
    this.#outgoing.admit(upgradeType, this.#connection);
    noteRoute(this.info, route);
    this.#filters = chain.of(route, cluster);
    const places = placesFor(this.#filters, context.reactor.arena.bytes);
    if (places.length > 0) return this.#enterFilters(places, { route, cluster });
    if (this.#filters.ofRequests.length > 0) {
      this.#isFiltered = true;
      const refusal = filterHead(this, this.#filters, context);
      if (refusal !== undefined) return this.#reply(refusal);
    }
    this.#act({ route, cluster });
  }

  /** What the route says is done. */
  #act({ route, cluster }: Found): void {
    const context = this.#context;
    // The router's count: of all that reach it, wherever they are answered.
    context.count(httpStat.routerRqTotal);
    if (route === undefined) {
      context.count(httpStat.noRoute);
      return this.#reply("noRoute");
    }
    this.#route = route;
    const { action } = route;
    if (action.kind === "cluster") return this.#toCluster(route, action, cluster);
    context.count(httpStat.rqDirectResponse);
    this.info.responseCodeDetails = "direct_response";
    this.#sendLocal(routeReply(action, route.rewrite, context.view));
  }

  /** On by its route, when its filters let it. */
  #enterFilters(places: readonly FilterPlace[], found: Found): void {
    this.#idleFiltered ??= new FilteredRequest(this.#context, this.#makeFilteredOwner());
    this.#filtered = this.#idleFiltered;
    this.#isFiltered = true;
    const { config } = this.#live;
    this.#filtered.enter(this, { places, found, config, connection: this.#connection });
  }

  #makeFilteredOwner(): FilteredOwner {
    return {
      info: this.info,
      outgoing: this.#outgoing,
      response: this.#response,
      isActive: () => this.#phase === "active",
      act: (found) => this.#act(found),
      composeHeld: (isEnd, length) => this.#composeResponse(isEnd, length),
      sendResponse: (start, end, isEnd) => this.#sendResponse(start, end, isEnd),
      sendResponseTrailers: (start, end) => this.#sendResponseTrailers(start, end),
      reply: (reply, details) => {
        this.info.responseCodeDetails = details;
        this.#answerInstead(() => this.#sendLocal(reply));
      },
      refuse: (reason) => this.#answerInstead(() => this.#reply(reason)),
      setRequestReading: (on) => this.#sink.setRequestReading(on),
      onResponseHeldChanged: () => this.setResponseReading(!this.#sink.isOutputFull),
    };
  }

  /** An answer of a filter's, or the end where another one has begun. */
  #answerInstead(answer: () => void): void {
    this.#exchange.cancel();
    if (this.#response.isHeadSent) this.#break("LR", "filter_reply_after_response_started");
    else answer();
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
    this.#outgoing.aim(cluster, action, this.#connection);
    const { hostname, limits } = this.#outgoing;
    if (limits.durationMs === 0) return this.#timeOut("maxDuration");
    if (this.#context.requestComposer.compose(this, route, hostname))
      return this.#outgoing.keepTrail(cluster, action);
    this.#outgoing.forget();
    this.#reply("headTooLarge");
  }

  #reply(reason: LocalReplyReason, status = 0): void {
    const reply = localReplies[reason];
    this.info.note(reply.details, reply.flag);
    this.#sendLocal({ fields: [], ...reply, status: status || reply.status });
  }

  #sendLocal(given: LocalReply): void {
    const own = this.#response.ownReply(given);
    const reply = this.#filtered?.manager.beginLocalReply(own) ?? own;
    this.#phase = "answering";
    this.#response.sendLocal(reply, this.#live, this.#responseChanges);
    this.#end();
  }

  /** A deadline passed: an answer if there was none yet, else the end of the connection. */
  #timeOut(reason: Overdue): void {
    this.#context.count(overdueStats[reason]);
    this.#exchange.cancel();
    if (this.#response.isHeadSent)
      this.#break(localReplies[reason].flag, localReplies[reason].details);
    // Envoy: who has sent the whole request is not the one that was slow.
    else this.#reply(reason, this.#sink.isRequestComplete ? 504 : 0);
  }

  #break(flag: ResponseFlag | undefined, details: string): void {
    this.#exchange.cancel();
    this.info.note(details, flag);
    this.#context.countReset();
    const { isFramed } = this.#response;
    this.#finish();
    this.#sink.onResponseBroken(isFramed);
  }

  #end(): void {
    if (!this.#sink.isRequestComplete) this.#context.countEarlyEnd();
    this.#finish();
    this.#sink.onResponseEnd();
  }

  /** Counts and logs; the object may begin the next request. */
  #finish(isAnswered = true): void {
    const { info } = this;
    info.endMs = this.#context.reactor.nowMs;
    if (isAnswered && info.responseCode > 0) this.#context.countResponse(info);
    this.#live.accessLogger?.log(info);
    this.#close();
  }

  #close(): void {
    this.#phase = "none";
    this.#wait?.end();
    this.#filtered?.end();
    this.#filtered = undefined;
    this.#outgoing.end();
    this.#context.add(httpStat.rqActive, -1);
    this.#live.requestEnded();
  }
}
