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
  readonly #clock: Clock;
  #sinceMs: number;

  constructor(options: NamedSubscriptionOptions<T>) {
    const { initial, initialFetchTimeoutMs, clock, stats } = options;
    this.#state = new BehaviorSubject(initial);
    this.stats = stats;
    this.#clock = clock;
    this.#sinceMs = clock.wallTime();
    stats.attempted();
    if (initial.kind !== "requested" || initialFetchTimeoutMs === 0) return;
    this.#timer = clock.startTimer(initialFetchTimeoutMs, () => {
      this.#timer = undefined;
      stats.initialFetchTimedOut();
      this.#become({ kind: "absent", reason: "timeout" });
    });
  }

  get state(): ResourceState<T> {
    return this.#state.value;
  }

  /** Milliseconds since 1970 that the state is what it is. */
  get sinceMs(): number {
    return this.#sinceMs;
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
    this.#sinceMs = this.#clock.wallTime();
    this.#state.next(state);
  }
}
