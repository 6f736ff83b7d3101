/** What an exchange waits for, and until when. One an exchange. */
import { never } from "../deadline-timer.ts";

export type ExchangeDue =
  /** The route's timeout. */
  | "response"
  | "try"
  /** Nothing went either way for `per_try_idle_timeout`. */
  | "tryIdle"
  /** The cluster's `max_stream_duration`. */
  | "tryDuration"
  /** The wait before another try is over. */
  | "retry";

export class ExchangeTimes {
  responseAtMs = never;
  tryAtMs = never;
  tryIdleAtMs = never;
  tryEndAtMs = never;
  retryAtMs = never;
  /** `per_try_idle_timeout`; 0: none. */
  tryIdleMs = 0;

  nextMs(): number {
    const tryMs = Math.min(this.tryAtMs, this.tryIdleAtMs, this.tryEndAtMs);
    return Math.min(this.responseAtMs, tryMs, this.retryAtMs);
  }

  due(nowMs: number): ExchangeDue | undefined {
    if (nowMs >= this.responseAtMs) return "response";
    if (nowMs >= this.tryAtMs) return "try";
    if (nowMs >= this.tryIdleAtMs) return "tryIdle";
    if (nowMs >= this.tryEndAtMs) return "tryDuration";
    return nowMs >= this.retryAtMs ? "retry" : undefined;
  }

  endTry(): void {
    this.tryAtMs = never;
    this.tryIdleAtMs = never;
    this.tryEndAtMs = never;
  }

  clear(): void {
    this.endTry();
    this.responseAtMs = never;
    this.retryAtMs = never;
  }
}
