/** The connections of one listener that its filters look at, and what is counted of them. */
import type { Descriptor, Reactor } from "../../shared/io/reactor.ts";
import { lookAtAddresses } from "../network/connection-stream-info.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";
import type { ActiveDrain } from "./active-drain.ts";
import type { ListenerChains } from "./listener-chains.ts";
import type { ListenerCounters } from "./listener-counters.ts";
import {
  PendingConnection,
  type PendingConnectionOwner,
  type PendingEnd,
} from "./pending-connection.ts";

/** Of the listener. */
export interface PendingConnectionsParts {
  readonly reactor: Reactor;
  readonly counters: ListenerCounters;
  onBug(error: unknown): void;
  /** Its filters are through: it is to be opened. */
  open(descriptor: Descriptor, pending: PendingConnection): void;
  /** Under way, whatever the chain. */
  drainsOf(config: ListenerConfig): readonly ActiveDrain[];
  /** It came to nothing: it is closed, and to be counted no more. */
  lost(pending: PendingConnection): void;
}

export class PendingConnections implements PendingConnectionOwner {
  readonly #parts: PendingConnectionsParts;
  readonly #pending = new Set<PendingConnection>();

  constructor(parts: PendingConnectionsParts) {
    this.#parts = parts;
  }

  get reactor(): Reactor {
    return this.#parts.reactor;
  }

  get all(): ReadonlySet<PendingConnection> {
    return this.#pending;
  }

  /** `handedOff`: it comes from another listener, with what is known of it, and is handed off no more. */
  take(
    descriptor: Descriptor,
    { config, listenerFilters }: ListenerChains,
    handedOff?: LearnedFacts,
  ): void {
    const pending = new PendingConnection(
      this,
      { descriptor, handedOff },
      {
        filters: listenerFilters,
        timeoutMs: config.listenerFiltersTimeoutMs,
        continuesOnTimeout: config.continueOnListenerFiltersTimeout,
      },
    );
    if (config.accessLog.length > 0) lookAtAddresses(pending.socket);
    this.#pending.add(pending);
    this.#parts.counters.pendingChanged(1);
    pending.start();
    if (!this.#pending.has(pending)) return;
    for (const drain of this.#parts.drainsOf(config)) pending.joinDrain(drain);
  }

  /** Closes all. */
  removeAll(): void {
    for (const pending of this.#pending) pending.cut();
  }

  onBug(error: unknown): void {
    this.#parts.onBug(error);
  }

  ready(pending: PendingConnection, descriptor: Descriptor): void {
    this.#forget(pending);
    this.#parts.open(descriptor, pending);
  }

  timedOut(): void {
    this.#parts.counters.pendingTimedOut();
  }

  ended(pending: PendingConnection, why: PendingEnd): void {
    this.#forget(pending);
    this.#parts.counters.pendingEnded(why);
    this.#parts.lost(pending);
  }

  #forget(pending: PendingConnection): void {
    this.#pending.delete(pending);
    this.#parts.counters.pendingChanged(-1);
  }
}
