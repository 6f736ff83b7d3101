/**
 * The end of a tunnel: what a request carries goes to a host in TCP as it is, and what comes back is the response's body
 * (Envoy: `TcpConnPool` and `TcpUpstream` of the generic pools; docs: `RouteAction.UpgradeConfig.connect_config`).
 *
 * What a newcomer would get wrong: the 200 is ours. The host speaks no HTTP, and being connected is its answer.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import type { CloseReason, Socket, SocketHandler } from "../../../shared/io/reactor.ts";
import {
  type ConnectedBefore,
  type UpstreamEnvironment,
  UpstreamTransport,
} from "../../network/upstream-transport.ts";
import type { TcpConnection, UpstreamHost } from "../../upstream/cluster-table.ts";
import { DeadlineTimer, never } from "../deadline-timer.ts";
import { headers } from "../http1/header-table.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { responseHead } from "../http1/response-head.ts";
import { clusterStat, hostStat } from "../stat-offsets.ts";
import { ConnectionCounts } from "./connection-counts.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { BodyPart, Tunnel, UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

type State =
  | "connecting"
  | "connected"
  /** Another process has it. */
  | "moved"
  | "closed";

/** What the host reads before everything else; or the connection, if another process has connected it. */
export type TunnelBeginning = { readonly preface: Uint8Array } | ConnectedBefore;

const noBytes = new Uint8Array(0);

export class TcpTunnel implements SocketHandler, UpstreamConnection, TcpConnection, Tunnel {
  readonly kind = "tcp";
  readonly startMs: number;
  readonly host: UpstreamHost;
  readonly requestCount = 1;
  readonly mayRefuse = false;
  hasAnswered = false;
  readonly #transport: UpstreamTransport;
  readonly #timer: DeadlineTimer;
  readonly #counts: ConnectionCounts;
  readonly #arena: Arena;
  readonly #preface: Uint8Array;
  #state: State = "connecting";
  /** Undefined once it is over. */
  #request: UpstreamRequest | undefined;
  #isClosedByUs = false;

  /** Starts to connect, unless it is; the caller has acquired the breaker of connections, which this releases. */
  constructor(
    host: UpstreamHost,
    environment: UpstreamEnvironment,
    request: UpstreamRequest,
    beginning: TunnelBeginning,
  ) {
    const connected = "descriptor" in beginning ? beginning : undefined;
    this.host = host;
    this.#preface = "preface" in beginning ? beginning.preface : noBytes;
    this.startMs = environment.reactor.nowMs - (connected?.ageMs ?? 0);
    this.#arena = environment.reactor.arena;
    this.#request = request;
    this.#counts = new ConnectionCounts(host, environment, this.startMs);
    const ours = connected ? { ...environment, connected } : environment;
    this.#transport = new UpstreamTransport(host, ours, "tcp", this);
    this.#timer = new DeadlineTimer(environment.reactor, this);
    if (connected) {
      this.#goOn();
      return;
    }
    this.#timer.atLatest(environment.reactor.nowMs + host.cluster.config.connectTimeoutMs);
    this.#counts.opened();
    this.#counts.requestBegan();
  }

  get socket(): Socket {
    return this.#transport.socket;
  }

  get tunnel(): Tunnel | undefined {
    return this.#state === "connected" ? this : undefined;
  }

  leave(): void {
    this.#unbind();
    this.#state = "moved";
  }

  #goOn(): void {
    this.#state = "connected";
    this.hasAnswered = true;
    this.host.tcpConnections.add(this);
    this.#counts.came();
    this.#counts.requestCame();
  }

  /** The head is for us: nothing of it reaches the host. */
  sendHead(_writer: HeadWriter, { start, end, isEnd }: BodyPart): void {
    // The body may lie behind the head in the window of heads.
    const { bytes, stagingStart } = this.#arena;
    bytes.set(this.#preface, stagingStart);
    this.sendBody(stagingStart, stagingStart + this.#preface.length, false);
    this.sendBody(start, end, isEnd);
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#counts.add(clusterStat.cxTxBytes, end - start);
    if (end > start) this.socket.write(start, end);
    if (isEnd) this.socket.shutdownWrite();
  }

  sendTrailers(): void {
    this.socket.shutdownWrite();
  }

  sendMetadata(): void {
    // What is TCP has no place for it.
  }

  setReading(on: boolean): void {
    this.#counts.count(on ? clusterStat.resumedReading : clusterStat.pausedReading);
    this.socket.setReading(on);
  }

  /** What was handed over still goes out. */
  abandon(): void {
    this.#counts.count(clusterStat.rqTxReset);
    this.#unbind();
    this.close(this.#state === "connecting" ? "now" : "flush");
  }

  close(how: "flush" | "now" | "reset"): void {
    this.#isClosedByUs = true;
    this.socket.close(how);
  }

  onConnected(): void {
    if (!this.#transport.onConnected()) return;
    this.#state = "connected";
    this.hasAnswered = true;
    this.#timer.cancel();
    this.host.tcpConnections.add(this);
    this.#counts.connected();
    this.#request?.onConnectionReady(this);
    sayConnected();
    this.#request?.onResponseHead({ start: 0, end: 0, isEnd: false, contentLength: -1 });
  }

  onData(start: number, end: number): void {
    this.#counts.add(clusterStat.cxRxBytes, end - start);
    this.#request?.onResponseBody(start, end, false);
  }

  onEnd(): void {
    const request = this.#request;
    this.#unbind();
    request?.onResponseBody(0, 0, true);
    this.socket.close("flush");
  }

  onAboveHighWatermark(): void {
    this.#counts.count(clusterStat.backedUp);
    this.#request?.onUpstreamAboveHighWatermark();
  }

  onBelowLowWatermark(): void {
    this.#counts.count(clusterStat.drained);
    this.#request?.onUpstreamBelowLowWatermark();
  }

  onSpliced(): void {
    // Its bytes pass through us.
  }

  onClosed(reason: CloseReason, detail: string): void {
    const wasConnecting = this.#state === "connecting";
    const hasMoved = this.#state === "moved";
    const isTimeout = wasConnecting && this.#isClosedByUs;
    const failure = this.#transport.onClosed(detail);
    const request = this.#request;
    this.#state = "closed";
    this.#timer.cancel();
    this.host.tcpConnections.delete(this);
    this.host.cluster.breakers.release("connections");
    this.#unbind();
    if (hasMoved) this.#counts.left();
    else this.#counts.closed(reason, this.#isClosedByUs);
    if (wasConnecting) this.#onConnectFailed(request, isTimeout, failure);
    else if (request !== undefined) this.#fail(request, "connectionTermination");
  }

  onDeadline(): number {
    if (this.#state !== "connecting") return never;
    this.#counts.count(clusterStat.cxConnectTimeout);
    this.close("now");
    return never;
  }

  #onConnectFailed(
    request: UpstreamRequest | undefined,
    isTimeout: boolean,
    failure: string,
  ): void {
    // The client went first: that is no failure of the host.
    if (request === undefined) return;
    this.#counts.count(clusterStat.cxConnectFail);
    this.#counts.countHost(hostStat.cxConnectFail);
    if (isTimeout) request.onPoolFailure("connectionTimeout", "");
    else request.onPoolFailure("connectionFailure", failure);
  }

  #fail(request: UpstreamRequest, reason: ResetReason): void {
    this.#counts.destroyedWithRequest(this.#isClosedByUs);
    this.#counts.count(clusterStat.rqRxReset);
    request.onUpstreamReset(reason);
  }

  #unbind(): void {
    if (this.#request === undefined) return;
    this.#request = undefined;
    this.#counts.requestEnded();
  }
}

/** In the place of a head that was parsed: a 200 without fields. */
function sayConnected(): void {
  headers.count = 0;
  responseHead.status = 200;
  responseHead.minorVersion = 1;
  responseHead.statusStart = 0;
  responseHead.statusEnd = 0;
  responseHead.fields.clear();
  responseHead.locate();
}
