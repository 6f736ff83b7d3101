/**
 * Gives back what a large push leaves behind. Ten thousand listeners decoded are some 200 MB of garbage on
 * main, which then does so little that the collector would not look for hours.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../../shared/common/clock.ts";

/** Smaller pushes leave less than what the heap breathes anyway. */
const resourcesMin = 500;
/** After the answer: what was decoded is held until then. */
const delayMs = 100;

type CollectGarbage = (options: {
  readonly type: "major";
  readonly execution: "async";
  readonly flavor: "last-resort";
}) => Promise<void>;

export class HeapTrim implements Disposable {
  readonly #clock: Clock;
  #collect: CollectGarbage | undefined;
  #timer: Disposable | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** After a push of so many changed resources; one collection for pushes that follow each other. */
  afterPush(resources: number): void {
    if (resources < resourcesMin) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.startTimer(delayMs, () => {
      this.#timer = undefined;
      this.#collect ??= collector();
      void this.#collect({ type: "major", execution: "async", flavor: "last-resort" });
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

/** Node has no other door to it than the flag, which a new context heeds. */
function collector(): CollectGarbage {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as CollectGarbage;
}
