/** The real timer wheel under a time that a test moves. What a timer throws is kept for the test. */
import { HierarchicalWheel } from "../../src/shared/io/hierarchical-wheel.ts";
import { tickMs } from "../../src/shared/io/timer-wheel.ts";

export class VirtualWheel {
  readonly timers: HierarchicalWheel;
  readonly bugs: unknown[] = [];
  #nowMs = 0;

  constructor() {
    const nowMs = (): number => this.#nowMs;
    this.timers = new HierarchicalWheel({
      get nowMs() {
        return nowMs();
      },
      wakeEarlier: () => {},
      bug: (error) => this.bugs.push(error),
    });
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Tick by tick, so that timers see the time at which they are due. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    while (this.#nowMs < endMs) {
      this.#nowMs = Math.min(endMs, this.#nowMs + tickMs);
      this.timers.advance(this.#nowMs);
    }
  }
}
