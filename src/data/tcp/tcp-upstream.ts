/**
 * One try to connect to one host, and the connection that comes of it (Envoy: `Tcp::ConnPoolImpl` with one
 * stream a connection). It takes from the cluster's limits and gauges and gives back on every path.
 */
import type { CloseReason, Reactor, Socket, SocketHandler } from "../../shared/io/reactor.ts";
import { TimerSlot, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import { clusterStats, hostStats } from "../../shared/stats/stat-names.ts";
import { type UpstreamEnvironment, UpstreamTransport } from "../network/upstream-transport.ts";
import type { UpstreamHost } from "../upstream/cluster-table.ts";

export interface TcpUpstreamHandler {
  onUpstreamConnected(): void;
  /** It never connected; the next try is up to the handler. */
  onUpstreamFailed(reason: string): void;
  onUpstreamClosed(reason: CloseReason): void;
  onUpstreamProgress(): void;
}

const cxTotal = clusterStats.offset("upstream_cx_total");
const connectFail = clusterStats.offset("upstream_cx_connect_fail");
const connectTimeout = clusterStats.offset("upstream_cx_connect_timeout");
const connectMs = clusterStats.offset("upstream_cx_connect_ms");
const lengthMs = clusterStats.offset("upstream_cx_length_ms");
const destroyed = clusterStats.offset("upstream_cx_destroy");
const destroyedLocal = clusterStats.offset("upstream_cx_destroy_local");
const destroyedRemote = clusterStats.offset("upstream_cx_destroy_remote");
const rxBytes = clusterStats.offset("upstream_cx_rx_bytes_total");
const txBytes = clusterStats.offset("upstream_cx_tx_bytes_total");
const rqTotal = clusterStats.offset("upstream_rq_total");
const rqPendingTotal = clusterStats.offset("upstream_rq_pending_total");
const rqPendingEject = clusterStats.offset("upstream_rq_pending_failure_eject");

const hostCxTotal = hostStats.offset("cx_total");
const hostCxEnded = hostStats.offset("cx_ended");
const hostConnectFail = hostStats.offset("cx_connect_fail");
const hostRqTotal = hostStats.offset("rq_total");
const hostRqEnded = hostStats.offset("rq_ended");
const hostPendingTotal = hostStats.offset("rq_pending_total");
const hostPendingEnded = hostStats.offset("rq_pending_ended");

type State =
  | "connecting"
  | "connected"
  /** Another process has it. */
  | "moved"
  | "closed";

export class TcpUpstream implements SocketHandler, WheelTimer {
  readonly host: UpstreamHost;
  readonly #transport: UpstreamTransport;
  readonly #reactor: Reactor;
  readonly #slab: StatSlab;
  readonly #handler: TcpUpstreamHandler;
  readonly startMs: number;
  readonly #connectTimer = new TimerSlot(this);
  #state: State = "connecting";
  #isTimedOut = false;
  #bytesReceived = 0;
  #bytesSent = 0;

  /** The caller has acquired the cluster's `connections`; this releases it. */
  constructor(host: UpstreamHost, worker: UpstreamEnvironment, handler: TcpUpstreamHandler) {
    const { config, activity } = host.cluster;
    this.host = host;
    this.#reactor = worker.reactor;
    this.#slab = worker.slab;
    this.#handler = handler;
    this.startMs = worker.reactor.nowMs - (worker.connected?.ageMs ?? 0);
    this.#transport = new UpstreamTransport(host, worker, "tcp", this);
    host.activeRequests++;
    activity.connectionOpened();
    this.#countHost(hostCxTotal);
    if (worker.connected !== undefined) return;
    worker.reactor.timers.arm(this.#connectTimer, config.connectTimeoutMs);
    activity.pendingStarted();
    this.#count(cxTotal);
    this.#count(rqPendingTotal);
    this.#countHost(hostPendingTotal);
  }

  get socket(): Socket {
    return this.#transport.socket;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  close(how: "flush" | "now" | "reset"): void {
    this.socket.close(how);
  }

  onTimer(): void {
    if (this.#state !== "connecting") return;
    this.#isTimedOut = true;
    this.socket.close("now");
  }

  onConnected(): void {
    if (!this.#transport.onConnected()) return;
    this.#reactor.timers.cancel(this.#connectTimer);
    this.#slab.record(this.host.cluster.stats, connectMs, this.#reactor.nowMs - this.startMs);
    this.host.cluster.activity.pendingEnded();
    this.#countHost(hostPendingEnded);
    this.#count(rqTotal);
    this.goOn();
  }

  /** It is connected; called by whoever gave it a connection that was, and is counted where it began. */
  goOn(): void {
    this.#state = "connected";
    this.host.tcpConnections.add(this);
    this.host.cluster.activity.requestStarted();
    this.#countHost(hostRqTotal);
    this.#handler.onUpstreamConnected();
  }

  /** It goes on in another process, which has its socket, and counts its end. */
  leave(): void {
    this.#state = "moved";
  }

  onData(): void {}
  onEnd(): void {}
  onAboveHighWatermark(): void {}
  onBelowLowWatermark(): void {}

  onSpliced(bytesRead: number, bytesWritten: number): void {
    const { stats } = this.host.cluster;
    this.#bytesReceived += bytesRead;
    this.#bytesSent += bytesWritten;
    this.#slab.add(stats, rxBytes, bytesRead);
    this.#slab.add(stats, txBytes, bytesWritten);
    this.#handler.onUpstreamProgress();
  }

  onClosed(reason: CloseReason, detail: string): void {
    const hasMoved = this.#state === "moved";
    const wasConnected = this.#state === "connected";
    const failure = this.#transport.onClosed(detail);
    this.#state = "closed";
    this.#reactor.timers.cancel(this.#connectTimer);
    this.#release(wasConnected || hasMoved);
    if (hasMoved) return;
    this.#countEnd(reason, wasConnected);
    if (wasConnected) this.#handler.onUpstreamClosed(reason);
    else this.#handler.onUpstreamFailed(this.#isTimedOut ? "connection timeout" : failure);
  }

  #release(wasConnected: boolean): void {
    const { activity, breakers } = this.host.cluster;
    this.host.activeRequests--;
    this.host.tcpConnections.delete(this);
    breakers.release("connections");
    activity.connectionClosed();
    this.#countHost(hostCxEnded);
    this.#countHost(wasConnected ? hostRqEnded : hostPendingEnded);
    if (wasConnected) activity.requestEnded();
    else activity.pendingEnded();
  }

  #countEnd(reason: CloseReason, wasConnected: boolean): void {
    this.#count(destroyed);
    this.#count(reason === "local" || reason === "bug" ? destroyedLocal : destroyedRemote);
    this.#slab.record(this.host.cluster.stats, lengthMs, this.#reactor.nowMs - this.startMs);
    // Ended by us before it connected: the downstream went. That is no failure of the host.
    const isOurs = reason === "local" && !this.#isTimedOut && !this.#transport.isRefused;
    if (wasConnected || isOurs) return;
    this.#count(connectFail);
    this.#countHost(hostConnectFail);
    this.#count(rqPendingEject);
    if (this.#isTimedOut) this.#count(connectTimeout);
  }

  #countHost(offset: number): void {
    this.#slab.add(this.host.stats, offset);
  }

  #count(offset: number): void {
    this.#slab.add(this.host.cluster.stats, offset);
  }
}
