/**
 * TLS of one downstream connection, from its first byte until the handshake is done: its context, its deadline, its counts
 * (Envoy: `SslSocket`, and the timer of `ServerConnectionImpl`).
 *
 * What a newcomer would get wrong: what fails to be verified is counted as that, and is no error of the connection.
 */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { Socket } from "../../shared/io/reactor.ts";
import { TimerSlot, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { listenerStats } from "../../shared/stats/stat-names.ts";
import { tlsFactoryStats } from "../../shared/stats/tls-stats.ts";
import { countFailure, countHandshake } from "../network/tls-counters.ts";
import type { WorkerContext } from "../network/worker-context.ts";

const timedOut = listenerStats.offset("downstream_cx_transport_socket_connect_timeout");
const notReady = tlsFactoryStats.offset("downstream_context_secrets_not_ready");

/** Of its connection. */
export interface HandshakeParts {
  readonly socket: Socket;
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly filterChain: FilterChainConfig;
}

type State = "new" | "shaking" | "done" | "failed";

export class DownstreamHandshake implements WheelTimer {
  readonly #parts: HandshakeParts;
  readonly #timer = new TimerSlot(this);
  #state: State = "new";
  #failureReason: string | undefined;
  #terminationDetails: string | undefined;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Envoy's transport failure reason, as logs print it. */
  get failureReason(): string | undefined {
    return this.#failureReason;
  }

  /** Why we ended it, where it was us. */
  get terminationDetails(): string | undefined {
    return this.#terminationDetails;
  }

  start(contextId: string): void {
    const { socket, worker, slots, filterChain } = this.#parts;
    // A chain without a filter closes at once.
    if (!socket.isOpen) return;
    const context = worker.tls.server.get(contextId);
    if (!context) {
      this.#state = "failed";
      this.#failureReason = "TLS_error:_Secret_is_not_supplied_by_SDS";
      worker.slab.add(slots.tls.factory, notReady);
      return socket.close("now");
    }
    this.#state = "shaking";
    const { transportSocketConnectTimeoutMs: timeoutMs } = filterChain;
    if (timeoutMs > 0) worker.reactor.timers.arm(this.#timer, timeoutMs);
    socket.startTls({ context });
  }

  /** The handshake is done. */
  onDone(): void {
    const { socket, worker, slots } = this.#parts;
    this.#state = "done";
    worker.reactor.timers.cancel(this.#timer);
    if (socket.tlsSession) countHandshake(worker.slab, slots.tls.connection, socket.tlsSession);
  }

  onTimer(): void {
    if (this.#state !== "shaking") return;
    const { socket, worker, slots } = this.#parts;
    worker.slab.add(slots.listener, timedOut);
    this.#terminationDetails = "transport socket timeout was reached";
    socket.close("now");
  }

  onClosed(): void {
    const { socket, worker, slots } = this.#parts;
    worker.reactor.timers.cancel(this.#timer);
    const failure = socket.tlsFailure;
    if (!failure) return;
    countFailure(worker.slab, slots.tls.connection, failure);
    this.#failureReason = failure.reason.replaceAll(" ", "_");
    if (this.#state === "shaking") this.#state = "failed";
  }
}
