/** What an exchange waits for, and until when. One an exchange. */
import { never } from "../deadline-timer.ts";

export type ExchangeDue =
  /** The route's timeout. */
  | "response"
  | "try"
  /** Nothing went either way for `per_try_idle_timeout`. */
  | "tryIdle"
  /** The wait before another try is over. */
  | "retry";

export class ExchangeTimes {
  responseAtMs = never;
  tryAtMs = never;
  tryIdleAtMs = never;
  retryAtMs = never;

  nextMs(): number {
    return Math.min(this.responseAtMs, this.tryAtMs, this.tryIdleAtMs, this.retryAtMs);
  }

  due(nowMs: number): ExchangeDue | undefined {
    if (nowMs >= this.responseAtMs) return "response";
    if (nowMs >= this.tryAtMs) return "try";
    if (nowMs >= this.tryIdleAtMs) return "tryIdle";
    return nowMs >= this.retryAtMs ? "retry" : undefined;
  }

  endTry(): void {
    this.tryAtMs = never;
    this.tryIdleAtMs = never;
  }

  clear(): void {
    this.endTry();
    this.responseAtMs = never;
    this.retryAtMs = never;
  }
}
