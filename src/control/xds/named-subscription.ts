/**
 * One resource that somebody asked for by name, and all who did: they share one state, one timer
 * and one set of stats.
 */
import { BehaviorSubject, type Observer, type Subscription } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { Resource, ResourceState } from "./resource-batch.ts";
import type { SubscriptionStats } from "./xds-stats.ts";

export interface NamedSubscriptionOptions<T> {
  readonly initial: ResourceState<T>;
  readonly clock: Clock;
  readonly stats: SubscriptionStats;
  /** 0 waits for ever. */
  readonly initialFetchTimeoutMs: number;
}

export class NamedSubscription<T> implements Disposable {
  readonly stats: SubscriptionStats;
  readonly #state: BehaviorSubject<ResourceState<T>>;
  #timer: Disposable | undefined;

  constructor(options: NamedSubscriptionOptions<T>) {
    const { initial, initialFetchTimeoutMs, clock, stats } = options;
    this.#state = new BehaviorSubject(initial);
    this.stats = stats;
    stats.attempted();
    if (initial.kind !== "requested" || initialFetchTimeoutMs === 0) return;
    this.#timer = clock.startTimer(initialFetchTimeoutMs, () => {
      this.#timer = undefined;
      stats.initialFetchTimedOut();
      this.#state.next({ kind: "absent", reason: "timeout" });
    });
  }

  get state(): ResourceState<T> {
    return this.#state.value;
  }

  get isObserved(): boolean {
    return this.#state.observed;
  }

  observe(observer: Partial<Observer<ResourceState<T>>>): Subscription {
    return this.#state.subscribe(observer);
  }

  received(resource: Resource<T>): void {
    this.#become({ kind: "present", resource });
  }

  removed(): void {
    if (this.state.kind !== "absent" || this.state.reason === "timeout")
      this.#become({ kind: "absent", reason: "removed" });
  }

  /** What was good before stands, and nobody needs to hear of it. */
  rejected(errors: readonly string[]): void {
    if (this.state.kind === "present") return;
    this.#become({ kind: "rejected", errors });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.stats[Symbol.dispose]();
  }

  #become(state: ResourceState<T>): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#state.next(state);
  }
}
