/** Pings that ask whether the client is still there (`KeepaliveSettings`): when to send one, when to give it up. */
import type { Random } from "../../../shared/common/random.ts";
import type { Http2Keepalive } from "../../../shared/config/http-config.ts";
import { never } from "../deadline-timer.ts";

export class KeepalivePing {
  readonly #settings: Http2Keepalive;
  readonly #random: Random;
  #number = 0;
  #dueMs: number;
  /** An answer must come by then; `never`: none is awaited. */
  #answerByMs = never;

  constructor(settings: Http2Keepalive, random: Random, nowMs: number) {
    this.#settings = settings;
    this.#random = random;
    this.#dueMs = this.#dueAfter(nowMs);
  }

  nextDueMs(): number {
    return Math.min(this.#dueMs, this.#answerByMs);
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  isOverdue(nowMs: number): boolean {
    return nowMs >= this.#answerByMs;
  }

  /** The number of the ping that is sent now. */
  next(nowMs: number): number {
    this.#number = (this.#number % 0xffff) + 1;
    this.#answerByMs = Math.min(this.#answerByMs, nowMs + this.#settings.timeoutMs);
    this.#dueMs = this.#dueAfter(nowMs);
    return this.#number;
  }

  onAck(number: number): void {
    if (number === this.#number) this.#answerByMs = never;
  }

  #dueAfter(nowMs: number): number {
    const { intervalMs, jitterPercent } = this.#settings;
    if (intervalMs === 0) return never;
    return nowMs + intervalMs * (1 + (this.#random.next() * jitterPercent) / 100);
  }
}
