/**
 * A request on its way to its host: what was chosen for it, and how it is handed to the exchange. One a request object,
 * begun anew for each request.
 */
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { HttpConnectionManagerConfig } from "../../../shared/config/http-config.ts";
import type { ClusterAction, RouteAction } from "../../../shared/config/route-config.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { ConnectionFacts } from "../../network/filter-chain-match.ts";
import { proxyHeaderBytes } from "../../network/proxy-header-bytes.ts";
import type { UpstreamCluster, UpstreamHost, HostRequest } from "../../upstream/cluster-table.ts";
import { hostRequestOf } from "./host-request.ts";
import type { HttpContext } from "../http-context.ts";
import { FieldMap, noFields } from "../filters/field-map.ts";
import { isGrpcType } from "../grpc.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import { noLimits, requestLimits } from "./grpc-timeouts.ts";
import { HeaderName, headerValue } from "../http1/header-table.ts";
import { requestHead } from "../http1/request-head.ts";
import type { SpelledNames } from "../http1/spelled-names.ts";
import { type Redirect, RedirectTrail } from "./redirect-trail.ts";
import { isRepeatable, method } from "../http1/request-method.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";
import { httpStat } from "../stat-offsets.ts";
import { admittedType, asksForTunnel, connectType, noUpgrade } from "./upgrade.ts";
import type { UpgradedRequest } from "../../../shared/protocol/moved-connection.ts";
import type { Exchange } from "../upstream/exchange.ts";
import type { ExchangeOwner } from "../upstream/exchange-plan.ts";
import type { UpstreamConnection, UpstreamRequest } from "../upstream/upstream-request.ts";
import {
  movedWebSocket,
  type WebSocketEnds,
  webSocketOf,
  type WebSocketRelay,
} from "../web-socket/relay.ts";
import { portOf } from "./request-intake.ts";
import type { ResponseSink } from "./response-sink.ts";
import type { ResponseWay } from "./response-way.ts";

const noPreface = new Uint8Array(0);
const noMetadata: readonly Metadata[] = [];

export class OutgoingRequest implements WebSocketEnds {
  isHead = false;
  /** Its body has no length. */
  isChunked = false;
  /** What it asks for and may have, as in `upgrade.ts`. */
  upgradeType = noUpgrade;
  limits = noLimits;
  /** Of its route; undefined: the connection manager's. */
  idleTimeoutMs: number | undefined;
  /** Of its route. */
  priority: ClusterAction["priority"] = "default";
  /** What filters made of its fields, which the table has no more; undefined: the table has them. */
  filteredFields: ExtraFields | undefined;
  /** Of a request whose route follows redirects. */
  trail: RedirectTrail | undefined;
  /** Of one that is told to go by a drain. */
  webSocket: WebSocketRelay | undefined;
  readonly #context: HttpContext;
  readonly #owner: ExchangeOwner;
  readonly #exchange: Exchange;
  readonly #response: ResponseWay;
  #spelledNames: SpelledNames | undefined;
  #isSecured = false;
  #isPost = false;
  #isRepeatable = false;
  #action: ClusterAction | undefined;
  #cluster: UpstreamCluster | undefined;
  #firstHost: UpstreamHost | undefined;
  #hostRequest: HostRequest | undefined;
  #facts: ConnectionFacts | undefined;
  #isSending = false;
  /** What came before it could be sent. */
  #metadata: Metadata[] | undefined;

  constructor(
    context: HttpContext,
    owner: ExchangeOwner,
    exchange: Exchange,
    response: ResponseWay,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#exchange = exchange;
    this.#response = response;
  }

  /** The exchange has its head. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** With the hostname of the host that is chosen for it already, empty if there is none. */
  get hostname(): string {
    return this.#firstHost?.config.hostname ?? "";
  }

  /** By the head that was parsed last. */
  begin(): void {
    this.forget();
    this.filteredFields = undefined;
    this.limits = noLimits;
    this.upgradeType = noUpgrade;
    this.webSocket = undefined;
    this.isChunked = requestHead.fields.isChunked;
    this.isHead = requestHead.method === method.head;
    // A redirect is laid out from what was sent.
    if (!this.isRedirected) this.#spelledNames = requestHead.spelledNames;
    this.readMethod();
  }

  /** Of the head that was parsed last; again where filters have made another one of it. */
  readMethod(): void {
    this.#isPost = requestHead.method === method.post;
    this.#isRepeatable = isRepeatable(requestHead.method);
  }

  /** As in `upgrade.ts`, of the head that was parsed last; undefined: it asks for what it may not have. */
  upgradeTypeFor(
    action: RouteAction | undefined,
    { upgrades: ofManager }: HttpConnectionManagerConfig,
  ): string | undefined {
    const { buffer } = this.#context.reactor.arena;
    const { isConnect } = this.#context.view.target;
    if (requestHead.upgradeIndex < 0 && !isConnect) return noUpgrade;
    if (!asksForTunnel(requestHead, buffer)) return noUpgrade;
    const ofRoute = action?.kind === "cluster" ? action.upgrades : [];
    const type = admittedType(requestHead, buffer, ofManager, ofRoute);
    // Envoy says of CONNECT, and of that alone, that no route is there before it says that it may not be.
    const isRefused = type === noUpgrade && !(isConnect && action === undefined);
    return isRefused ? undefined : type;
  }

  /** There is nothing left to wait for: its upgrade, if it is one, is counted. */
  admit(upgradeType: string, connection: DownstreamConnection): void {
    this.#isSecured = this.#context.view.ownScheme() === "https";
    if (upgradeType === noUpgrade) return;
    this.upgradeType = upgradeType;
    this.#context.count(httpStat.cxUpgradesTotal);
    this.#context.add(httpStat.cxUpgradesActive, 1);
    this.webSocket = webSocketOf(upgradeType, connection, this.#context, this);
  }

  aim(cluster: UpstreamCluster, action: ClusterAction, { facts }: DownstreamConnection): void {
    this.#action = action;
    this.idleTimeoutMs = action.idleTimeoutMs;
    this.priority = action.priority;
    this.#cluster = cluster;
    this.#facts = facts;
    if (action.streamDuration !== undefined || action.grpcTimeout !== undefined)
      this.#limit(action);
    this.#hostRequest = hostRequestOf(cluster, facts, this.#fieldOf);
    this.#firstHost =
      action.hostRewrite?.kind === "auto" ? cluster.chooseHost(this.#hostRequest) : undefined;
  }

  #limit(action: ClusterAction): void {
    const isGrpc = isGrpcType(this.#fieldOf("content-type"));
    this.limits = requestLimits(action, isGrpc, this.#fieldOf("grpc-timeout"));
  }

  /** `name`: in lower case, maybe of a pseudo-header. */
  readonly #fieldOf = (name: string): string | undefined => {
    const { view } = this.#context;
    if (name.startsWith(":")) return view.pseudoHeader(name);
    if (this.filteredFields === undefined) return headerValue(view.buffer, new HeaderName(name));
    return new FieldMap(this.filteredFields, noFields).get(name);
  };

  /** The composed head with the first part of the body, or a further part; nothing where it is not aimed. */
  send(start: number, end: number, isEnd: boolean): void {
    if (this.#isSending) {
      if (this.webSocket === undefined) this.toHost(start, end, isEnd);
      else this.webSocket.fromClient(start, end, isEnd);
      return;
    }
    const action = this.#action;
    const cluster = this.#cluster;
    if (action === undefined || cluster === undefined) return;
    this.#isSending = true;
    this.trail?.keepBody(this.#context.writer.buffer, start, end);
    this.webSocket?.onSent(start, end);
    const plan = {
      cluster,
      action,
      timeoutMs: this.limits.timeoutMs ?? action.timeoutMs,
      firstHost: this.#firstHost,
      isHeadRequest: this.isHead,
      hostRequest: this.#hostRequest,
      isRepeatable: this.#isRepeatable && isEnd && start === end,
      isChunked: this.isChunked,
      isSecured: this.#isSecured,
      spelledNames: this.#spelledNames,
      upgradeType: this.upgradeType,
      tunnelPreface: this.#tunnelPreface(action),
      metadata: this.#metadata ?? noMetadata,
    };
    this.#exchange.start(plan, { start, end, isEnd });
  }

  /** In another process it has got so far; `open` takes its connection over. */
  goOn(
    cluster: UpstreamCluster,
    { upgradeType, priority, limits, webSocket }: UpgradedRequest,
    open: (request: UpstreamRequest) => UpstreamConnection,
  ): void {
    this.#isSending = true;
    this.isChunked = false;
    this.upgradeType = upgradeType;
    this.#context.add(httpStat.cxUpgradesActive, 1);
    this.priority = priority;
    this.idleTimeoutMs = limits.idleMs;
    this.limits = { ...noLimits, durationMs: limits.durationMs };
    this.webSocket = webSocket && movedWebSocket(this.#context, this, webSocket);
    const plan = {
      cluster,
      action: { priority, retryPolicy: undefined },
      timeoutMs: 0,
      firstHost: undefined,
      isHeadRequest: false,
      hostRequest: undefined,
      isRepeatable: false,
      isChunked: false,
      isSecured: false,
      spelledNames: undefined,
      upgradeType,
      tunnelPreface: undefined,
      metadata: noMetadata,
    };
    this.#exchange.goOn(plan, open);
    this.#response.goOn(upgradeType, this.webSocket);
  }

  toHost(start: number, end: number, isEnd: boolean): void {
    this.trail?.keepBody(this.#context.writer.buffer, start, end);
    this.#exchange.sendBody({ start, end, isEnd });
  }

  toClient(start: number, end: number, isEnd: boolean): void {
    this.#response.sendBody(start, end, isEnd);
  }

  atLatest(dueMs: number): void {
    this.#owner.atLatest(dueMs);
  }

  onUnanswered(): void {
    this.#endTunnel();
  }

  /** Its connection is told: a WebSocket has a word for that, and a tunnel is TCP to whoever uses it. */
  onDrain(drain: DrainStart): void {
    this.webSocket?.goAway(drain);
    if (drain.tcp === "spread" && this.#response.grantedType === connectType) this.#endTunnel();
  }

  /** In order: what was handed over still goes out, to both sides. */
  #endTunnel(): void {
    this.#exchange.cancel();
    this.#owner.onResponseBody(0, 0, true);
  }

  get isRedirected(): boolean {
    return (this.trail?.redirects ?? 0) > 0;
  }

  /** Its head is composed. */
  keepTrail({ config }: UpstreamCluster, { internalRedirect }: ClusterAction): void {
    const { writer, isTls, view } = this.#context;
    if (internalRedirect === undefined || view.target.isConnect) return;
    if (this.upgradeType !== noUpgrade) return;
    this.trail ??= new RedirectTrail(config.perConnectionBufferLimitBytes);
    this.trail.keepHead(writer, isTls && view.scheme() === "https");
  }

  /** Whether the response whose head was parsed last leads elsewhere, and is followed. */
  redirect(
    route: CompiledRoute | undefined,
    { listener }: DownstreamConnection,
    { isRequestComplete }: ResponseSink,
  ): Redirect {
    const listenerPort = portOf(listener.addresses[0]);
    const downstream = { listenerPort, isRequestComplete };
    return this.trail?.judge(route, downstream, this.#context) ?? "none";
  }

  /** It goes on with the next request. */
  takeTrail(): RedirectTrail | undefined {
    const { trail } = this;
    this.trail = undefined;
    return trail;
  }

  sendMetadata(metadata: Metadata): void {
    if (this.#isSending) this.#exchange.sendMetadata(metadata);
    else (this.#metadata ??= []).push(metadata);
  }

  sendTrailers(start: number, end: number): void {
    if (this.#isSending) this.#exchange.sendTrailers(start, end);
  }

  /** It goes to no host. */
  forget(): void {
    this.#isSending = false;
    this.idleTimeoutMs = undefined;
    this.#action = undefined;
    this.#cluster = undefined;
    this.#firstHost = undefined;
    this.#facts = undefined;
    this.#metadata = undefined;
  }

  /** The request is over. */
  end(): void {
    this.forget();
    this.trail = undefined;
    if (this.upgradeType !== noUpgrade) this.#context.add(httpStat.cxUpgradesActive, -1);
    this.upgradeType = noUpgrade;
    this.webSocket = undefined;
  }

  /** What its host reads first where it ends here, as in `ExchangePlan`. */
  #tunnelPreface({ tunnelEnd }: ClusterAction): Uint8Array | undefined {
    if (tunnelEnd === undefined) return undefined;
    if (this.upgradeType !== connectType && !(tunnelEnd.allowsPost && this.#isPost))
      return undefined;
    const facts = this.#facts;
    if (tunnelEnd.proxyProtocol === undefined || facts === undefined) return noPreface;
    return proxyHeaderBytes(tunnelEnd.proxyProtocol, facts.remoteAddress, facts.localAddress);
  }
}
