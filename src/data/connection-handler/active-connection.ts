/**
 * One downstream connection (Envoy: `ActiveTcpConnection` and its `ConnectionImpl`). It owns the socket and
 * the drain, its filter owns the protocol. It has ended when `onClosed` was called, and not before.
 */
import type { DrainId } from "../../shared/common/brand.ts";
import { formatAddress } from "../../shared/common/address.ts";
import type { FilterChainConfig, ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DrainStart, DrainedProtocol } from "../../shared/drain/drain.ts";
import type {
  CloseReason,
  Descriptor,
  Reactor,
  Socket,
  SocketHandler,
} from "../../shared/io/reactor.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import { type RemainingConnection, noProgress } from "../../shared/protocol/worker-event.ts";
import {
  type ConnectionOutcome,
  ConnectionStreamInfo,
  unremarkable,
} from "../network/connection-stream-info.ts";
import type { DownstreamConnection } from "../network/downstream-connection.ts";
import type { ConnectionFacts } from "../network/filter-chain-match.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";
import { SocketFacts } from "../network/socket-facts.ts";
import type { NetworkFilter } from "../network/network-filter.ts";
import type { StreamInfo } from "../network/stream-info.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { ActiveDrain } from "./active-drain.ts";
import type { ActiveFilterChain } from "./active-filter-chain.ts";
import { ConnectionDrains, type DrainedConnection } from "./connection-drains.ts";
import type { DrainMember } from "./drain-member.ts";
import { DownstreamHandshake } from "./downstream-handshake.ts";
import { inertFilter } from "./inert-filter.ts";

/** Envoy: `ActiveStreamListenerBase::newConnection`. */
const unmatched: ConnectionOutcome = {
  ...unremarkable,
  flags: ["NR"],
  details: "filter_chain_not_found",
};

export interface AcceptedDescriptor {
  readonly descriptor: Descriptor;
  /** From listener filters; undefined: there are none. */
  readonly facts: LearnedFacts | undefined;
  /** Undefined: it was accepted here. */
  readonly moved?: Arrival;
}

/** Of a connection that comes from another process, or back from there. */
export interface Arrival {
  readonly connection: MovedConnection;
  /** It is not given again. */
  readonly stays: boolean;
}

/** The listener, as its connections see it. */
export interface ConnectionOwner {
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly isHealthCheckFailed: boolean;
  findChain(facts: ConnectionFacts): ActiveFilterChain;
  onBug(error: unknown): void;
  /** Last call, once. */
  connectionClosed(connection: ActiveConnection): void;
}

export class ActiveConnection
  implements DownstreamConnection, SocketHandler, DrainedConnection, DrainMember
{
  readonly id: number;
  readonly worker: WorkerContext;
  readonly reactor: Reactor;
  readonly socket: Socket;
  readonly listener: ListenerConfig;
  readonly slots: ListenerSlots;
  readonly startMs: number;
  readonly facts: ConnectionFacts;
  readonly chain: ActiveFilterChain;
  readonly #owner: ConnectionOwner;
  readonly #arrival: Arrival | undefined;
  #filter: NetworkFilter = inertFilter;
  #drains: ConnectionDrains | undefined = undefined;
  /** Undefined: plain text. */
  #handshake: DownstreamHandshake | undefined = undefined;
  #isGiven = false;

  /** Takes over the descriptor. Nothing is served before `begin`. */
  constructor(
    owner: ConnectionOwner,
    id: number,
    listener: ListenerConfig,
    { descriptor, facts: learned, moved }: AcceptedDescriptor,
  ) {
    this.#owner = owner;
    this.#arrival = moved;
    this.id = id;
    this.worker = owner.worker;
    this.reactor = owner.worker.reactor;
    this.listener = listener;
    this.slots = owner.slots;
    this.startMs = this.reactor.nowMs - (moved?.connection.ageMs ?? 0);
    this.socket = this.reactor.adopt(descriptor, this, {
      bufferLimitBytes: listener.perConnectionBufferLimitBytes,
      noDelay: true,
    });
    learned?.moveTo(this.socket);
    this.facts = learned ?? new SocketFacts(this.socket);
    this.chain = owner.findChain(this.facts);
  }

  get filterChain(): FilterChainConfig {
    return this.chain.config;
  }

  get isSecured(): boolean {
    return this.#handshake === undefined || this.#handshake.isDone;
  }

  get transportFailureReason(): string | undefined {
    return this.#handshake?.failureReason;
  }

  get terminationDetails(): string | undefined {
    return this.#handshake?.terminationDetails;
  }

  get protocol(): DrainedProtocol {
    return this.#filter.protocol;
  }

  get isIdle(): boolean {
    return this.#filter.isIdle;
  }

  get isHealthCheckFailed(): boolean {
    return this.listener.drainType === "default" && this.#owner.isHealthCheckFailed;
  }

  get isToldToDrain(): boolean {
    return this.#drains?.isTold ?? false;
  }

  /** For the listener's access log, once it has ended. */
  streamInfo(): StreamInfo {
    const known = this.#filter.streamInfo?.();
    return (
      known ?? new ConnectionStreamInfo(this, this.chain.isUnmatched ? unmatched : unremarkable)
    );
  }

  /** Makes the filter and lets it begin. Under TLS it hears nothing of its peer before the handshake is done. */
  begin(): void {
    this.#guarded(() => {
      const { transportSocket } = this.filterChain;
      if (transportSocket.kind === "tls") this.#handshake = new DownstreamHandshake(this);
      this.#filter = this.chain.factory.create(this);
      this.#beginFilter();
      if (transportSocket.kind === "tls") this.#handshake?.start(transportSocket.contextId);
    });
  }

  #beginFilter(): void {
    const moved = this.#arrival?.connection;
    if (!moved) return this.#filter.onNewConnection();
    if (this.#filter.onMovedHere?.(moved) === true) return;
    if (moved.kind !== "idle") this.reactor.discard(moved.upstream);
    this.socket.close("now");
  }

  joinDrain(drain: ActiveDrain): void {
    this.#drains ??= new ConnectionDrains(this, this.reactor);
    this.#drains.join(drain);
  }

  /** The drain of the id that it is in. */
  drainOf(id: DrainId): ActiveDrain | undefined {
    return this.#drains?.find(id);
  }

  leaveDrain(drain: ActiveDrain): void {
    this.#drains?.leave(drain);
  }

  deadlineMoved(drain: ActiveDrain): void {
    this.#drains?.deadlineMoved(drain);
  }

  /** As it is at the moment, to be shown: gathered when somebody asks, so that it costs nobody else anything. */
  describe(): RemainingConnection {
    const { localAddress, remoteAddress } = this.facts;
    return {
      id: this.id,
      peer: formatAddress(remoteAddress),
      local: formatAddress(localAddress),
      ageMs: this.reactor.nowMs - this.startMs,
      protocol: this.protocol,
      isTold: this.isToldToDrain,
      progress: this.#filter.progress?.() ?? noProgress,
    };
  }

  /** It was counted where it was accepted, in another process or here before it was given. */
  get hasMovedHere(): boolean {
    return this.#arrival !== undefined;
  }

  /** It goes on in another process: here it has not ended, it is only gone. */
  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** Calls when another process can serve it on, maybe at once: it is not ours any more then. May be asked again. */
  giveAway(give: (moved: MovedConnection) => void): void {
    if (this.filterChain.transportSocket.kind === "tls" || this.#arrival?.stays === true) return;
    const giveNow = (moved: MovedConnection): void => {
      this.#isGiven = true;
      give(moved);
    };
    this.#guarded(() => this.#filter.moveAway?.(giveNow));
  }

  tellToDrain(drain: DrainStart): void {
    this.#guarded(() => this.#filter.onDrain(drain));
  }

  moveDrainDeadline(drain: DrainStart): void {
    this.#guarded(() => this.#filter.onDrainDeadlineMoved?.(drain));
  }

  /** Ends it although it may be busy: at a drain's deadline, or because its listener goes. */
  cut(): void {
    this.#guarded(() => {
      if (this.#filter.endsInOrder?.() !== true) this.#drains?.force();
    });
    this.socket.close("now");
  }

  /** The handshake is done. */
  onConnected(): void {
    this.#handshake?.onDone();
    this.#filter.onSecured?.();
  }

  onData(start: number, end: number): void {
    this.#filter.onData(start, end);
  }

  onEnd(): void {
    this.#filter.onEnd();
  }

  onAboveHighWatermark(): void {
    this.#filter.onAboveHighWatermark();
  }

  onBelowLowWatermark(): void {
    this.#filter.onBelowLowWatermark();
  }

  onSpliced(bytesRead: number, bytesWritten: number): void {
    this.#filter.onSpliced(bytesRead, bytesWritten);
  }

  onClosed(reason: CloseReason, detail: string): void {
    try {
      this.#handshake?.onClosed();
      this.#filter.onClosed(reason, detail);
    } finally {
      this.#drains?.closed(reason);
      this.chain.factory.closed?.(this.#filter);
      this.#owner.connectionClosed(this);
    }
  }

  /** For calls that do not come from the socket: there the reactor does the same. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#owner.onBug(error);
      this.socket.close("reset");
    }
  }
}
