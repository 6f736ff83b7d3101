/**
 * The drains that one connection is in: usually none, then one; a server-wide drain may overlap with a
 * listener's. Made when the first one comes, so that idle connections do not pay for it.
 *
 * The connection is told once, at the earliest of its instants, and counts as told in all of them.
 */
import type { DrainId } from "../../shared/common/brand.ts";
import type { DrainStart, DrainedProtocol } from "../../shared/drain/drain.ts";
import { nextDrainStep } from "../../shared/drain/drain-decision.ts";
import type { CloseReason, Reactor } from "../../shared/io/reactor.ts";
import { TimerSlot, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import type { ActiveDrain, DrainOutcome } from "./active-drain.ts";

/** What a drain does to its connection. */
export interface DrainedConnection {
  readonly protocol: DrainedProtocol;
  /** No request or stream is under way. */
  readonly isIdle: boolean;
  tellToDrain(drain: DrainStart): void;
  /** After it was told: silence closes it at another time than it was told of. */
  moveDrainDeadline(drain: DrainStart): void;
  /** Closes at once; `closed` follows. */
  cut(): void;
}

interface Membership {
  readonly drain: ActiveDrain;
  instantMs: number;
  protocol: DrainedProtocol;
}

interface NextStep {
  readonly kind: "tell" | "cut";
  readonly atMs: number;
  readonly drain: ActiveDrain;
}

export class ConnectionDrains implements WheelTimer {
  readonly #connection: DrainedConnection;
  readonly #reactor: Reactor;
  readonly #memberships: Membership[] = [];
  readonly #timer = new TimerSlot(this);
  #isTold = false;
  #isForced = false;

  constructor(connection: DrainedConnection, reactor: Reactor) {
    this.#connection = connection;
    this.#reactor = reactor;
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  /** May tell the connection before it returns, and the connection may close itself then. */
  join(drain: ActiveDrain): void {
    if (this.#memberships.some((membership) => membership.drain === drain)) return;
    const { protocol } = this.#connection;
    const instantMs = drain.nextInstant(this.#reactor.nowMs);
    this.#memberships.push({ drain, instantMs, protocol });
    drain.joined(protocol);
    if (this.#isTold) drain.told(protocol);
    this.#proceed();
  }

  /** The drain of the id that the connection is in. */
  find(id: DrainId): ActiveDrain | undefined {
    return this.#memberships.find(({ drain }) => drain.start.id === id)?.drain;
  }

  /** One of its drains has another deadline now, and may wait no longer to tell. */
  deadlineMoved(drain: ActiveDrain): void {
    const membership = this.#memberships.find((each) => each.drain === drain);
    if (!membership) return;
    if (drain.tellsAtOnce) membership.instantMs = this.#reactor.nowMs;
    if (this.#isTold) this.#connection.moveDrainDeadline(drain.start);
    this.#proceed();
  }

  /** The drain is cancelled: what it counts of the connection stays as it is. */
  leave(drain: ActiveDrain): void {
    const index = this.#memberships.findIndex((each) => each.drain === drain);
    if (index < 0) return;
    this.#memberships.splice(index, 1);
    this.#reactor.timers.cancel(this.#timer);
    this.#proceed();
  }

  /** Marks what is about to be closed as cut, for the counts. */
  force(): void {
    this.#isForced = true;
  }

  onTimer(): void {
    this.#proceed();
  }

  /** What comes after it has joined its drains by itself. */
  goneOn(): void {
    this.#reactor.timers.cancel(this.#timer);
    for (const { drain, protocol } of this.#memberships.splice(0))
      drain.goneOn(protocol, this.#isTold);
  }

  closed(reason: CloseReason): void {
    this.#reactor.timers.cancel(this.#timer);
    const outcome = this.#isForced ? "forced" : outcomeOf(reason);
    for (const membership of this.#memberships.splice(0)) {
      this.#settleProtocol(membership);
      membership.drain.left(membership.protocol, outcome);
    }
  }

  /** Does what is due and arms the timer for what comes next. */
  #proceed(): void {
    const { nowMs } = this.#reactor;
    let next = this.#nextStep();
    if (next?.kind === "tell" && next.atMs <= nowMs) {
      this.#tell(next.drain);
      next = this.#nextStep();
    }
    if (!next) return;
    if (next.kind === "cut" && next.atMs <= nowMs) return this.#connection.cut();
    this.#reactor.timers.arm(this.#timer, next.atMs - nowMs);
  }

  /** The earliest of its drains' steps. Asked for each connection when a drain begins, so it makes no lists. */
  #nextStep(): NextStep | undefined {
    const { protocol, isIdle } = this.#connection;
    const state = { protocol, isIdle, isTold: this.#isTold };
    const { nowMs } = this.#reactor;
    let next: NextStep | undefined;
    for (const { drain, instantMs } of this.#memberships) {
      const { start } = drain;
      const step = nextDrainStep(start, instantMs, state, nowMs);
      if (step.kind === "none" || (next && next.atMs <= step.atMs)) continue;
      next = { kind: step.kind, atMs: step.atMs, drain };
    }
    return next;
  }

  #tell(drain: ActiveDrain): void {
    this.#isTold = true;
    for (const membership of this.#memberships) {
      this.#settleProtocol(membership, false);
      membership.drain.told(membership.protocol);
    }
    this.#connection.tellToDrain(drain.start);
  }

  /** The protocol may have become known, or been upgraded, since the connection joined. */
  #settleProtocol(membership: Membership, isCountedTold = this.#isTold): void {
    const { protocol } = this.#connection;
    if (protocol === membership.protocol) return;
    membership.drain.moved(membership.protocol, protocol, isCountedTold);
    membership.protocol = protocol;
  }
}

/** We ended it: finished, also where another reason of ours came before the drain's. */
function outcomeOf(reason: CloseReason): DrainOutcome {
  return reason === "remote" || reason === "reset" ? "closedByPeer" : "finished";
}
