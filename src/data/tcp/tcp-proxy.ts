/**
 * `envoy.filters.network.tcp_proxy`: one downstream connection, one upstream connection, every byte moved by
 * the kernel where it can. Nothing is read from downstream before the upstream has connected.
 *
 * A drain does not end it before the deadline: TCP has no way to ask its peer to go, so by policy the
 * connection stays until then (docs: DRAINING), unless `check_drain_close` says that the next bytes are its last.
 */
import { assert } from "../../shared/common/assert.ts";
import type { TcpProxyConfig } from "../../shared/config/tcp-proxy-config.ts";
import type { DrainStart } from "../../shared/drain/drain.ts";
import type { CloseReason } from "../../shared/io/reactor.ts";
import { TimerSlot } from "../../shared/io/timer-wheel.ts";
import type { OnDemandWant, WantOutcome } from "../../shared/protocol/on-demand.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { StreamProgress } from "../../shared/protocol/worker-event.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { clusterStats, tcpOnDemandStats, tcpStats } from "../../shared/stats/stat-names.ts";
import type { AccessLogger } from "../network/access-logger.ts";
import { ConnectionStreamInfo, lookAtAddresses } from "../network/connection-stream-info.ts";
import type { DownstreamConnection } from "../network/downstream-connection.ts";
import type { NetworkFilter } from "../network/network-filter.ts";
import type { ResponseFlag, StreamInfo } from "../network/stream-info.ts";
import type { OnDemandWaiter, WorkerContext } from "../network/worker-context.ts";
import type { UpstreamCluster } from "../upstream/cluster-table.ts";
import { chooseCluster } from "./cluster-choice.ts";
import { TcpUpstream, type TcpUpstreamHandler } from "./tcp-upstream.ts";

export interface TcpProxyShared {
  readonly config: TcpProxyConfig;
  readonly worker: WorkerContext;
  readonly stats: StatBlock;
  readonly onDemandStats: StatBlock;
  readonly logger: AccessLogger | undefined;
}

const cxTotal = tcpStats.offset("downstream_cx_total");
const noRoute = tcpStats.offset("downstream_cx_no_route");
const rxBytes = tcpStats.offset("downstream_cx_rx_bytes_total");
const txBytes = tcpStats.offset("downstream_cx_tx_bytes_total");
const drainClose = tcpStats.offset("downstream_cx_drain_close");
const idleTimeouts = tcpStats.offset("idle_timeout");
const durationReached = tcpStats.offset("max_downstream_connection_duration");
const onDemandAttempt = tcpOnDemandStats.offset("on_demand_cluster_attempt");
const onDemandMissing = tcpOnDemandStats.offset("on_demand_cluster_missing");
const onDemandSuccess = tcpOnDemandStats.offset("on_demand_cluster_success");
const onDemandTimeout = tcpOnDemandStats.offset("on_demand_cluster_timeout");
const attemptsExceeded = clusterStats.offset("upstream_cx_connect_attempts_exceeded");
const overflow = clusterStats.offset("upstream_cx_overflow");
const noneHealthy = clusterStats.offset("upstream_cx_none_healthy");

/** How long one direction waits for the other to be empty, when it is to move. */
const holdMsMax = 100;

type State =
  | { readonly kind: "new" }
  /** Its cluster is not there, and main looks for it. */
  | { readonly kind: "waiting"; readonly want: OnDemandWant }
  /** `attempts`: tries begun, this one included. */
  | { readonly kind: "connecting"; readonly upstream: TcpUpstream; readonly attempts: number }
  | { readonly kind: "connected"; readonly upstream: TcpUpstream; readonly attempts: number }
  /** Both connections are another process's. */
  | { readonly kind: "moved"; readonly upstream: TcpUpstream; readonly attempts: number }
  /** We are closing downstream, with or without an upstream that is still there. */
  | {
      readonly kind: "ending";
      readonly upstream: TcpUpstream | undefined;
      readonly attempts: number;
    };

export class TcpProxy implements NetworkFilter, TcpUpstreamHandler, OnDemandWaiter {
  readonly protocol = "tcp";
  readonly isIdle = false;
  readonly #shared: TcpProxyShared;
  readonly #connection: DownstreamConnection;
  readonly #flags: ResponseFlag[] = [];
  readonly #idleTimer = new TimerSlot({ onTimer: () => this.#onIdleTimer() });
  readonly #durationTimer = new TimerSlot({ onTimer: () => this.#onDurationTimer() });
  #state: State = { kind: "new" };
  /** Made when it is to move. */
  #holdTimer: TimerSlot | undefined = undefined;
  #closesWithNextBytes = false;
  #clusterName = "";
  #failureReason: string | undefined = undefined;
  #lastByteMs: number;
  #bytesReceived = 0;
  #bytesSent = 0;

  constructor(shared: TcpProxyShared, connection: DownstreamConnection) {
    this.#shared = shared;
    this.#connection = connection;
    this.#lastByteMs = connection.startMs;
  }

  onNewConnection(): void {
    const { config, worker } = this.#shared;
    this.#count(cxTotal);
    this.#start();
    this.#clusterName = chooseCluster(config.clusters, worker.random);
    if (this.#connection.isSecured) this.#begin();
  }

  /** Its upstream is connected, and the first bytes may be here. */
  onMovedHere(moved: MovedConnection): boolean {
    if (moved.kind !== "proxied") return false;
    const { worker } = this.#shared;
    const host = worker.clusters.get(moved.cluster)?.hostAt(moved.host);
    this.#start();
    this.#clusterName = moved.cluster;
    this.#bytesReceived = moved.bytesReceived;
    this.#bytesSent = moved.bytesSent;
    if (!host) {
      worker.reactor.discard(moved.upstream);
      this.#fail(worker.clusters.get(moved.cluster) ? "UH" : "NC");
      return true;
    }
    host.cluster.breakers.acquire("connections");
    const connected = { descriptor: moved.upstream, ageMs: moved.upstreamAgeMs };
    const upstream = new TcpUpstream(host, { ...worker, connected }, this);
    this.#state = { kind: "connecting", upstream, attempts: 1 };
    upstream.goOn();
    return true;
  }

  #start(): void {
    const { maxDownstreamConnectionDurationMs: longestMs } = this.#shared.config;
    const { reactor, socket, startMs } = this.#connection;
    if (this.#shared.logger) lookAtAddresses(socket);
    // A handshake reads of its own accord.
    socket.setReading(false);
    if (longestMs === 0) return;
    reactor.timers.arm(this.#durationTimer, Math.max(0, startMs + longestMs - reactor.nowMs));
  }

  /** Envoy connects before: whoever cannot shake hands costs no upstream connection here. */
  onSecured(): void {
    if (this.#state.kind === "new") this.#begin();
  }

  #begin(): void {
    const { worker } = this.#shared;
    if (worker.clusters.get(this.#clusterName) || !this.#waitForCluster()) this.#connect(0);
  }

  /** Of its cluster: it is there, or will not be. */
  onAnswered(outcome: WantOutcome): void {
    this.#state = { kind: "new" };
    if (this.#shared.worker.clusters.get(this.#clusterName)) this.#countOnDemand(onDemandSuccess);
    else this.#countOnDemand(outcome === "timeout" ? onDemandTimeout : onDemandMissing);
    this.#connect(0);
  }

  onData(): void {
    assert(false, "tcp_proxy reads nothing itself");
  }

  onEnd(): void {}
  onAboveHighWatermark(): void {}
  onBelowLowWatermark(): void {}

  /** Nothing can be said to the peer, so all there is to do is to close, if the policy wants that. */
  onDrain({ tcp }: DrainStart): void {
    if (tcp === "spread") this.#closeForDrain();
    else this.#closesWithNextBytes = this.#shared.config.checkDrainClose;
  }

  moveAway(give: (moved: MovedConnection) => void): void {
    if (this.#state.kind !== "connected" || this.#closesWithNextBytes) return;
    const { socket, reactor } = this.#connection;
    // In the middle of a round more may be read yet, and the relay may be busy with this very call.
    const onEmpty = (): void => reactor.atRoundEnd(() => this.#moveNow(give));
    this.#holdTimer ??= new TimerSlot({
      onTimer: () => socket.leaveRelay({ holds: false, onEmpty }),
    });
    reactor.timers.arm(this.#holdTimer, holdMsMax);
    socket.leaveRelay({ holds: true, onEmpty });
  }

  #moveNow(give: (moved: MovedConnection) => void): void {
    if (this.#state.kind !== "connected") return;
    const { upstream, attempts } = this.#state;
    const { socket, reactor, startMs } = this.#connection;
    const pair = socket.detachWith(upstream.socket);
    // Half of it has ended: it stays to its end.
    if (!pair) return socket.leaveRelay(undefined);
    this.#state = { kind: "moved", upstream, attempts };
    upstream.leave();
    give({
      kind: "proxied",
      descriptor: pair[0],
      upstream: pair[1],
      cluster: this.#clusterName,
      host: upstream.host.config.address,
      ageMs: reactor.nowMs - startMs,
      upstreamAgeMs: reactor.nowMs - upstream.startMs,
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
    });
  }

  onSpliced(bytesRead: number, bytesWritten: number): void {
    const { slab } = this.#shared.worker;
    this.#bytesReceived += bytesRead;
    this.#bytesSent += bytesWritten;
    slab.add(this.#shared.stats, rxBytes, bytesRead);
    slab.add(this.#shared.stats, txBytes, bytesWritten);
    this.#lastByteMs = this.#connection.reactor.nowMs;
    if (this.#closesWithNextBytes && this.#state.kind === "connected") this.#closeForDrain();
  }

  onClosed(reason: CloseReason): void {
    const { timers } = this.#connection.reactor;
    timers.cancel(this.#idleTimer);
    timers.cancel(this.#durationTimer);
    if (this.#holdTimer) timers.cancel(this.#holdTimer);
    if (this.#state.kind === "moved") return;
    const isCut = this.#state.kind !== "ending" && reason === "local";
    // Not by this filter: at the drain's deadline, or because the listener goes.
    if (isCut && this.#connection.isToldToDrain) this.#count(drainClose);
    const upstream = this.#end();
    if (upstream && !upstream.isClosed) upstream.close(howToFollow(reason));
    this.#shared.logger?.log(this.streamInfo());
  }

  progress(): StreamProgress {
    return {
      streams: 1,
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
      route: undefined,
      cluster: this.#clusterName || undefined,
    };
  }

  streamInfo(): StreamInfo {
    const { upstream, attempts } = partsOf(this.#state);
    return new ConnectionStreamInfo(this.#connection, {
      flags: this.#flags,
      details: undefined,
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
      upstream: {
        cluster: this.#clusterName,
        host: upstream?.host.config.address,
        hostname: upstream?.host.config.hostname,
        localAddress: upstream?.socket.localAddress,
        bytesReceived: upstream?.bytesReceived ?? 0,
        bytesSent: upstream?.bytesSent ?? 0,
        attempts,
        failureReason: this.#failureReason,
        tls: upstream?.socket.tlsSession,
      },
    });
  }

  // Of the upstream.

  onUpstreamConnected(): void {
    assert(this.#state.kind === "connecting", "connected without having tried");
    const { upstream, attempts } = this.#state;
    this.#state = { kind: "connected", upstream, attempts };
    const { socket, reactor } = this.#connection;
    const { idleTimeoutMs } = this.#shared.config;
    if (idleTimeoutMs > 0) reactor.timers.arm(this.#idleTimer, idleTimeoutMs);
    this.#lastByteMs = reactor.nowMs;
    if (this.#shared.logger) lookAtAddresses(upstream.socket);
    socket.setReading(true);
    socket.pipeTo(upstream.socket);
  }

  onUpstreamFailed(reason: string): void {
    if (this.#state.kind !== "connecting") return;
    this.#failureReason = reason;
    this.#flag("UF");
    this.#connect(this.#state.attempts);
  }

  onUpstreamClosed(reason: CloseReason): void {
    if (this.#state.kind !== "connected") return;
    this.#end();
    this.#connection.socket.close(howToFollow(reason));
  }

  onUpstreamProgress(): void {
    this.#lastByteMs = this.#connection.reactor.nowMs;
  }

  /** False: it may not, or as many as may wait do so already. */
  #waitForCluster(): boolean {
    const { worker, config } = this.#shared;
    if (!config.onDemand) return false;
    this.#countOnDemand(onDemandAttempt);
    const want = { kind: "cluster", cluster: this.#clusterName, ...config.onDemand } as const;
    if (!worker.onDemand.wait(want, this)) return false;
    this.#state = { kind: "waiting", want };
    return true;
  }

  /** One more try after `attempts`, with a host of its own choice. */
  #connect(attempts: number): void {
    const { worker, config } = this.#shared;
    const cluster = worker.clusters.get(this.#clusterName);
    if (!cluster) {
      this.#count(noRoute);
      return this.#fail("NC");
    }
    if (attempts >= Math.max(1, config.maxConnectAttempts)) {
      return this.#failAtCluster(cluster, attemptsExceeded, "URX");
    }
    const { originalDestination } = this.#connection.facts;
    const host = cluster.chooseHost({ originalDestination, namedHost: undefined });
    if (!host) return this.#failAtCluster(cluster, noneHealthy, "UH");
    if (!cluster.breakers.tryAcquire("connections")) {
      return this.#failAtCluster(cluster, overflow, "UO");
    }
    const { upstreamSource: source } = this.#connection.facts;
    const environment = source ? { ...worker, source } : worker;
    const upstream = new TcpUpstream(host, environment, this);
    this.#state = { kind: "connecting", upstream, attempts: attempts + 1 };
  }

  #failAtCluster(cluster: UpstreamCluster, offset: number, flag: ResponseFlag): void {
    this.#shared.worker.slab.add(cluster.stats, offset);
    this.#fail(flag);
  }

  #fail(flag: ResponseFlag): void {
    this.#flag(flag);
    this.#end();
    this.#connection.socket.close("now");
  }

  #onIdleTimer(): void {
    const { reactor } = this.#connection;
    const leftMs = this.#lastByteMs + this.#shared.config.idleTimeoutMs - reactor.nowMs;
    if (leftMs > 0) return reactor.timers.arm(this.#idleTimer, leftMs);
    this.#count(idleTimeouts);
    this.#fail("SI");
  }

  #onDurationTimer(): void {
    this.#count(durationReached);
    this.#fail("DT");
  }

  #closeForDrain(): void {
    this.#count(drainClose);
    this.#end();
    this.#connection.socket.close("flush");
  }

  /** Whatever upstream there was stays known: it may still have to be closed, and is logged. */
  #end(): TcpUpstream | undefined {
    if (this.#state.kind === "waiting") this.#shared.worker.onDemand.forget(this.#state.want, this);
    const parts = partsOf(this.#state);
    this.#state = { kind: "ending", ...parts };
    return parts.upstream;
  }

  #flag(flag: ResponseFlag): void {
    if (!this.#flags.includes(flag)) this.#flags.push(flag);
  }

  #count(offset: number): void {
    this.#shared.worker.slab.add(this.#shared.stats, offset);
  }

  #countOnDemand(offset: number): void {
    this.#shared.worker.slab.add(this.#shared.onDemandStats, offset);
  }
}

function partsOf(state: State): Omit<Extract<State, { kind: "ending" }>, "kind"> {
  if (state.kind === "new" || state.kind === "waiting") return { upstream: undefined, attempts: 0 };
  return { upstream: state.upstream, attempts: state.attempts };
}

/** How the other side ends: what was cut is cut there too, the rest is delivered first. */
function howToFollow(reason: CloseReason): "flush" | "reset" {
  return reason === "reset" ? "reset" : "flush";
}
