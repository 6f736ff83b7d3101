/**
 * Times to live: a resource that was sent with one is gone unless the server speaks of it again in time
 * (xDS protocol, "TTL"). A server that dies leaves nothing behind that it meant to be temporary.
 */
import type { Clock } from "../../shared/common/clock.ts";

export class ResourceExpiry implements Disposable {
  readonly #clock: Clock;
  readonly #onExpired: (name: string) => void;
  /** As many as there are resources with a time to live. */
  readonly #timers = new Map<string, Disposable>();

  constructor(clock: Clock, onExpired: (name: string) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Begins anew; without a time the resource stays. */
  restart(name: string, ttlMs: number | undefined): void {
    if (ttlMs === undefined && this.#timers.size === 0) return;
    this.stop(name);
    if (ttlMs === undefined) return;
    const timer = this.#clock.startTimer(ttlMs, () => {
      this.#timers.delete(name);
      this.#onExpired(name);
    });
    this.#timers.set(name, timer);
  }

  stop(name: string): void {
    this.#timers.get(name)?.[Symbol.dispose]();
    this.#timers.delete(name);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
  }
}
