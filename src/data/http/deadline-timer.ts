/**
 * One timer for many deadlines. Its owner says when it must be asked next at the latest; asked, it acts
 * on what is due and names the next instant. Deadlines that move away cost nothing: the timer fires
 * early, finds nothing due and is armed again. So a request sets its timeouts with comparisons alone.
 */
import type { Reactor } from "../../shared/io/reactor.ts";
import { TimerSlot } from "../../shared/io/timer-wheel.ts";

export interface DeadlineOwner {
  /** Acts on what is due at `nowMs`; returns the next deadline, or `never`. */
  onDeadline(nowMs: number): number;
}

export const never = Infinity;

/** `limitMs` after `startMs`; 0 is no limit. */
export function instantAfter(startMs: number, limitMs: number): number {
  return limitMs > 0 ? startMs + limitMs : never;
}

export class DeadlineTimer {
  readonly #reactor: Reactor;
  readonly #owner: DeadlineOwner;
  readonly #slot: TimerSlot;
  #armedForMs = never;

  constructor(reactor: Reactor, owner: DeadlineOwner) {
    this.#reactor = reactor;
    this.#owner = owner;
    this.#slot = new TimerSlot(this);
  }

  /** The owner is asked at `dueMs` (up to a tick later), or sooner. */
  atLatest(dueMs: number): void {
    if (dueMs >= this.#armedForMs) return;
    this.#armedForMs = dueMs;
    this.#reactor.timers.arm(this.#slot, Math.max(0, dueMs - this.#reactor.nowMs));
  }

  cancel(): void {
    if (this.#armedForMs === never) return;
    this.#armedForMs = never;
    this.#reactor.timers.cancel(this.#slot);
  }

  onTimer(): void {
    this.#armedForMs = never;
    this.atLatest(this.#owner.onDeadline(this.#reactor.nowMs));
  }
}
