/**
 * Wakes a loop when its timer wheel wants to move: one timeout, set only while timers are armed and
 * moved only when a timer becomes the first, so that an idle worker sleeps and a busy one sets none.
 */
import type { HierarchicalWheel } from "./hierarchical-wheel.ts";

/** Node cuts longer timeouts to 1 ms. */
const timeoutMsMax = 2 ** 31 - 1;

export class WheelDrive {
  readonly #wheel: HierarchicalWheel;
  readonly #wake: () => void;
  #timeout: NodeJS.Timeout | null = null;
  #isStale = false;

  /** `wake` is to advance the wheel, then to call `update`. */
  constructor(wheel: HierarchicalWheel, wake: () => void) {
    this.#wheel = wheel;
    this.#wake = wake;
  }

  /** The timeout is set too late, or has been used up. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Sets the timeout anew if it is stale. */
  update(): void {
    if (!this.#isStale) return;
    this.stop();
    const delayMs = this.#wheel.nextWakeMs();
    if (delayMs === Number.POSITIVE_INFINITY) return;
    const onTimeout = (): void => {
      this.#isStale = true;
      this.#wake();
    };
    this.#timeout = setTimeout(onTimeout, Math.min(Math.ceil(delayMs), timeoutMsMax));
  }

  stop(): void {
    this.#isStale = false;
    if (this.#timeout !== null) clearTimeout(this.#timeout);
    this.#timeout = null;
  }
}
