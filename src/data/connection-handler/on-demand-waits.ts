/**
 * Requests and TCP connections of one worker that wait for what main is asked for. The same thing is asked for once, however many wait;
 * when the last of them has gone main is told, so that what nobody wants does not stay subscribed.
 */
import { type OnDemandWant, type WantOutcome, wantKey } from "../../shared/protocol/on-demand.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type {
  OnDemandWaiter,
  OnDemandWaits as OnDemandWaitsInterface,
} from "../network/worker-context.ts";

/** Requests that may wait at once on a worker; each keeps its head and what came of its body with it. */
export const waitingMax = 10_000;

export interface OnDemandEnvironment {
  post(event: WorkerEvent): void;
  /** A request could not wait. */
  countOverflow(): void;
  setWaiting(count: number): void;
}

export class OnDemandWaits implements OnDemandWaitsInterface {
  readonly #environment: OnDemandEnvironment;
  readonly #waiting = new Map<string, Set<OnDemandWaiter>>();
  #count = 0;

  constructor(environment: OnDemandEnvironment) {
    this.#environment = environment;
  }

  wait(want: OnDemandWant, waiter: OnDemandWaiter): boolean {
    if (this.#count >= waitingMax) {
      this.#environment.countOverflow();
      return false;
    }
    const key = wantKey(want);
    const known = this.#waiting.get(key);
    if (known) known.add(waiter);
    else {
      this.#waiting.set(key, new Set([waiter]));
      this.#environment.post({ kind: "wanted", want });
    }
    this.#setCount(this.#count + 1);
    return true;
  }

  forget(want: OnDemandWant, waiter: OnDemandWaiter): void {
    const key = wantKey(want);
    const waiters = this.#waiting.get(key);
    if (!waiters?.delete(waiter)) return;
    this.#setCount(this.#count - 1);
    if (waiters.size > 0) return;
    this.#waiting.delete(key);
    this.#environment.post({ kind: "unwanted", want });
  }

  /** Main has said all that it knows: everybody looks again. */
  answered(want: OnDemandWant, outcome: WantOutcome): void {
    const key = wantKey(want);
    const waiters = this.#waiting.get(key);
    if (!waiters) return;
    this.#waiting.delete(key);
    this.#setCount(this.#count - waiters.size);
    for (const waiter of waiters) waiter.onAnswered(outcome);
  }

  #setCount(count: number): void {
    this.#count = count;
    this.#environment.setWaiting(count);
  }
}
