/**
 * Pings that ask whether the peer is still there (`KeepaliveSettings`): when to send one, when to give the peer up. The
 * next interval begins with the answer, and whatever the peer sends meanwhile gives it more time, as in Envoy.
 */
import type { Random } from "../../../shared/common/random.ts";
import type { Http2Keepalive } from "../../../shared/config/http-config.ts";
import { never } from "../deadline-timer.ts";

export class KeepalivePing {
  readonly #settings: Http2Keepalive;
  readonly #random: Random;
  #number = 0;
  #heardAtMs: number;
  /** `never` while an answer is awaited, and without an interval. */
  #dueMs: number;
  /** `never`: none is awaited. */
  #answerByMs = never;

  constructor(settings: Http2Keepalive, random: Random, nowMs: number) {
    this.#settings = settings;
    this.#random = random;
    this.#heardAtMs = nowMs;
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

  /** The peer was silent for so long that a new request should not go without one (`connection_idle_interval`). */
  isWantedBeforeRequest(nowMs: number): boolean {
    const { idleIntervalMs } = this.#settings;
    if (idleIntervalMs === 0 || this.#answerByMs !== never) return false;
    return nowMs >= this.#heardAtMs + idleIntervalMs;
  }

  /** The number of the ping that is sent now. */
  next(nowMs: number): number {
    this.#number = (this.#number % 0xffff) + 1;
    this.#answerByMs = nowMs + this.#settings.timeoutMs;
    this.#dueMs = never;
    return this.#number;
  }

  /** The peer sent something. */
  onHeard(nowMs: number): void {
    this.#heardAtMs = nowMs;
    if (this.#answerByMs !== never) this.#answerByMs = nowMs + this.#settings.timeoutMs;
  }

  onAck(number: number, nowMs: number): void {
    if (number !== this.#number || this.#answerByMs === never) return;
    this.#answerByMs = never;
    this.#dueMs = this.#dueAfter(nowMs);
  }

  #dueAfter(nowMs: number): number {
    const { intervalMs, jitterPercent } = this.#settings;
    if (intervalMs === 0) return never;
    return nowMs + intervalMs * (1 + (this.#random.next() * jitterPercent) / 100);
  }
}
