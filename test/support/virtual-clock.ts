import assert from "node:assert/strict";
import type { Clock } from "../../src/shared/common/clock.ts";

interface Timer {
  readonly dueMs: number;
  /** Breaks ties: timers due together fire in the order they were started. */
  readonly sequence: number;
  readonly fire: () => void;
}

/** A clock that stands still until a test moves it, firing what falls due on the way. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  /** 2026-01-01 plus the virtual time: any fixed start serves. */
  wallTime(): number {
    return 1_767_225_600_000 + this.#nowMs;
  }

  startTimer(delayMs: number, fire: () => void): Disposable {
    assert(delayMs >= 0);
    const timer: Timer = { dueMs: this.#nowMs + delayMs, sequence: this.#sequence++, fire };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Timers neither fired nor cancelled. A test that leaks none ends with zero. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  /** The process stood still for so long: what fell due meanwhile fires late, at the next `advance`. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Moves time forward, letting promises settle between timers as the event loop would. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settled();
    for (let timer = this.#next(endMs); timer; timer = this.#next(endMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.fire();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.dueMs <= endMs);
    return due.sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence)[0];
  }
}

/** Resolves once every promise callback that is already runnable has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
