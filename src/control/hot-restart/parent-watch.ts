/**
 * A parent that drains, watched to its end: its stats are added to ours, and it is told to end as soon as it has no
 * connection left, or when `--parent-shutdown-time-s` is over (Envoy knows the second alone).
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { CarriedStats } from "./child-link.ts";
import { generationStat } from "./message-codec.ts";

const firstMs = 100;
/** Between two questions, once it takes longer. */
const everyMsMax = 1_000;
/** Answers in a row without a connection, where it has not said that none can come: one may be on its way to a worker. */
const emptyAnswers = 2;

export interface ParentState {
  readonly connections: number;
  readonly generation: number;
}

/** `stats` gives none where it is lost. */
interface WatchedParent {
  stats(): Promise<Omit<CarriedStats, "memoryAllocated"> | undefined>;
  terminate(): Promise<void>;
}

export interface ParentWatchParts {
  readonly parent: WatchedParent;
  readonly clock: Clock;
  readonly log: Logger;
  readonly shutdownMs: number;
  readonly takesStats: boolean;
  readonly merge: (stats: Pick<CarriedStats, "counterDeltas" | "gauges">) => void;
  readonly setParent: (parent: ParentState) => void;
  /** Once. */
  readonly onGone: () => void;
}

export class ParentWatch implements Disposable {
  readonly #parts: ParentWatchParts;
  #everyMs = firstMs;
  #empty = 0;
  #saysEmpty = false;
  #isOver = false;
  #next: Disposable | undefined;
  #deadline: Disposable | undefined;

  constructor(parts: ParentWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, shutdownMs } = this.#parts;
    const seconds = shutdownMs / 1000;
    this.#deadline = clock.startTimer(
      shutdownMs,
      () => void this.terminateNow(`${seconds} s are over`),
    );
    this.#ask();
  }

  /** Its last stats are asked for at once. */
  parentIsEmpty(): void {
    this.#saysEmpty = true;
    this.#everyMs = firstMs;
    // Otherwise it has been asked just now, or will be.
    if (!this.#next) return;
    this.#next[Symbol.dispose]();
    void this.#askNow();
  }

  /** Whatever it still has open is cut. */
  async terminateNow(reason: string): Promise<void> {
    if (this.#isOver) return;
    this.#parts.log.info(`terminating parent process: ${reason}`);
    this.#end();
    await this.#parts.parent.terminate();
    this.#parts.onGone();
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #ask(): void {
    this.#next = this.#parts.clock.startTimer(this.#everyMs, () => void this.#askNow());
    this.#everyMs = Math.min(this.#everyMs * 2, everyMsMax);
  }

  async #askNow(): Promise<void> {
    this.#next = undefined;
    const { parent, takesStats, merge, setParent, onGone } = this.#parts;
    const stats = await parent.stats();
    if (this.#isOver) return;
    if (stats === undefined) {
      this.#end();
      return onGone();
    }
    const connections = Number(stats.numConnections);
    setParent({ connections, generation: Number(stats.gauges[generationStat] ?? 0) });
    if (takesStats) merge(stats);
    this.#empty = connections === 0 ? this.#empty + 1 : 0;
    if (this.#empty >= (this.#saysEmpty ? 1 : emptyAnswers))
      return this.terminateNow("it has no connection left");
    this.#ask();
  }

  #end(): void {
    this.#isOver = true;
    this.#next?.[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
  }
}
