/**
 * A connection between accept and its filter chain (Envoy: `ActiveTcpSocket`): listener filters look at it in their order,
 * within `listener_filters_timeout`. It ends once, by one of the doors of its owner.
 *
 * What a newcomer would get wrong: bytes that were looked at make no event again. So a filter that has its turn is shown
 * at once what is here, and one that asks for more than was shown is shown again.
 */
import { assert } from "../../shared/common/assert.ts";
import type {
  Descriptor,
  HeldSocket,
  HeldSocketHandler,
  Reactor,
} from "../../shared/io/reactor.ts";
import { TimerSlot, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import {
  type ListenerFilter,
  type ListenerFilterContext,
  type ListenerFilterVerdict,
  readBytesMax,
} from "../listener-filters/listener-filter.ts";
import { matchesListenerFilter } from "../listener-filters/listener-filter-match.ts";
import type { ListenerFilterEntry } from "../listener-filters/listener-filters.ts";
import { LearnedFacts } from "../network/learned-facts.ts";

/** Why it came to no connection. `refused`: a filter's decision, which the filter has counted. */
export type PendingEnd = "refused" | "timeout" | "remoteClose" | "error" | "removed";

export interface PendingConnectionOwner {
  readonly reactor: Reactor;
  onBug(error: unknown): void;
  /** Whoever gets this adopts the descriptor. */
  ready(pending: PendingConnection, descriptor: Descriptor): void;
  /** Whatever follows: it goes on or ends, by another door. */
  timedOut(): void;
  ended(pending: PendingConnection, why: PendingEnd): void;
}

export interface PendingDescriptor {
  readonly descriptor: Descriptor;
  /** What another listener's filters learned, where it comes from there. */
  readonly handedOff: LearnedFacts | undefined;
}

export interface PendingPlan {
  readonly filters: readonly ListenerFilterEntry[];
  /** 0: none. */
  readonly timeoutMs: number;
  readonly continuesOnTimeout: boolean;
}

export class PendingConnection implements HeldSocketHandler, WheelTimer {
  readonly facts: LearnedFacts;
  /** Another listener has handed it to this one. */
  readonly isHandedOff: boolean;
  readonly startMs: number;
  readonly socket: HeldSocket;
  readonly #owner: PendingConnectionOwner;
  readonly #plan: PendingPlan;
  readonly #timer = new TimerSlot(this);
  readonly #context: ListenerFilterContext;
  /** Of the filter whose turn it is. */
  #index = 0;
  #filter: ListenerFilter | undefined;
  #hasEnded = false;

  constructor(
    owner: PendingConnectionOwner,
    { descriptor, handedOff }: PendingDescriptor,
    plan: PendingPlan,
  ) {
    this.#owner = owner;
    this.#plan = plan;
    this.startMs = owner.reactor.nowMs;
    this.socket = owner.reactor.hold(descriptor, this);
    this.isHandedOff = handedOff !== undefined;
    this.facts = handedOff ?? new LearnedFacts(this.socket);
    this.facts.moveTo(this.socket);
    this.#context = { socket: this.socket, facts: this.facts };
  }

  /** One of the owner's doors may be passed before this returns. */
  start(): void {
    this.#guarded(() => {
      this.#advance();
      if (this.#hasEnded) return;
      this.socket.watch();
      const { timeoutMs } = this.#plan;
      if (timeoutMs > 0) this.#owner.reactor.timers.arm(this.#timer, timeoutMs);
    });
  }

  /** Its listener goes. */
  remove(): void {
    this.#end("removed");
  }

  /** The end is told once: whichever filter waits behind those that went through now, it waits in vain. */
  onArrival(isEnd: boolean): void {
    this.#guarded(() => {
      const verdict = this.#show();
      if (this.#hasEnded) return;
      if (verdict !== "wait") this.#obey(verdict);
      if (isEnd) this.#end("remoteClose");
    });
  }

  onTimer(): void {
    this.#owner.timedOut();
    if (this.#plan.continuesOnTimeout) this.#guarded(() => this.#finish());
    else this.#end("timeout");
  }

  /** Of the filter that has its turn, and from there on. */
  #obey(verdict: Exclude<ListenerFilterVerdict, "wait">): void {
    if (verdict === "close") return this.#end("refused");
    this.#index++;
    this.#filter = undefined;
    this.#advance();
  }

  /** Until one waits, or all are through. */
  #advance(): void {
    for (; this.#index < this.#plan.filters.length; this.#index++) {
      const verdict = this.#begin(this.#plan.filters[this.#index] as ListenerFilterEntry);
      if (this.#hasEnded || verdict === "wait") return;
      if (verdict === "close") return this.#end("refused");
      this.#filter = undefined;
    }
    this.#finish();
  }

  #begin({ disabledFor, factory }: ListenerFilterEntry): ListenerFilterVerdict {
    if (disabledFor && matchesListenerFilter(disabledFor, this.facts.localAddress))
      return "continue";
    this.#filter = factory.create(this.#context);
    const verdict = this.#filter.onAccept();
    return verdict === "wait" && this.#filter.maxReadBytes > 0 ? this.#show() : verdict;
  }

  /** Lets the filter look at what is here, and again while it asks for more than that. */
  #show(): ListenerFilterVerdict {
    const filter = this.#filter;
    if (!filter) return "wait";
    for (;;) {
      const limit = Math.min(filter.maxReadBytes, readBytesMax);
      const seen = this.socket.peek(limit);
      if (seen.kind !== "bytes") {
        this.#end(seen.kind === "ended" ? "remoteClose" : "error");
        return "wait";
      }
      if (seen.count === 0) return "wait";
      const { bytes, readStart } = this.#owner.reactor.arena;
      const verdict = filter.onData(bytes.subarray(readStart, readStart + seen.count));
      if (verdict !== "wait" || seen.count < limit) return verdict;
      assert(filter.maxReadBytes > limit, "a listener filter waits for more than it looks at");
    }
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#leave();
    this.#owner.ready(this, this.socket.release());
  }

  #end(why: PendingEnd): void {
    if (this.#hasEnded) return;
    this.#leave();
    this.socket.close();
    this.#owner.ended(this, why);
  }

  #leave(): void {
    this.#hasEnded = true;
    this.#owner.reactor.timers.cancel(this.#timer);
  }

  /** A throw costs this connection only. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#owner.onBug(error);
      this.#end("error");
    }
  }
}
