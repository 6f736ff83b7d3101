/**
 * A child that has been given something which cannot be given twice: the admin, and then the accepting. For as long as it
 * has not lived with it for a while, its parent can still take it back, and does so when the child is gone.
 *
 *     idle ──hold()──▶ watching ──gone──▶ idle (taken back)
 *                         └──lived long enough after its drain──▶ idle (let go)
 */
import type { Clock } from "../../shared/common/clock.ts";

/** Between two looks: who connects meanwhile waits in the accept queue. */
const lookEveryMs = 100;
/** A child that has served for so long is no failed restart any more. */
export const holdMs = 30_000;

export interface ChildWatchParts {
  readonly clock: Clock;
  /** Whether the child's name is bound. */
  readonly isThere: () => boolean;
  /** What it was given is ours again. */
  readonly onGone: () => void;
  /** Sockets that were kept in case need be kept no longer. */
  readonly onSettled: () => void;
}

export class ChildWatch implements Disposable {
  readonly #parts: ChildWatchParts;
  #pid: number | undefined;
  #settledAtMs = Number.POSITIVE_INFINITY;
  #next: Disposable | undefined;

  constructor(parts: ChildWatchParts) {
    this.#parts = parts;
  }

  /** The child has been given something. */
  hold(pid: number): void {
    this.#pid = pid;
    if (!this.#next) this.#look();
  }

  /** It has been given all. */
  settleLater(): void {
    this.#settledAtMs = this.#parts.clock.now() + holdMs;
  }

  /** Somebody asks. Another child: the one before it is gone, though its name is there again. */
  heard(pid: number): void {
    if (this.#next && pid !== this.#pid) this.#end(this.#parts.onGone);
  }

  [Symbol.dispose](): void {
    this.#end(() => {});
  }

  #look(): void {
    const { clock, isThere, onGone, onSettled } = this.#parts;
    this.#next = clock.startTimer(lookEveryMs, () => {
      if (!isThere()) return this.#end(onGone);
      if (clock.now() >= this.#settledAtMs) return this.#end(onSettled);
      this.#look();
    });
  }

  #end(then: () => void): void {
    if (!this.#next) return;
    this.#next[Symbol.dispose]();
    this.#next = undefined;
    this.#settledAtMs = Number.POSITIVE_INFINITY;
    then();
  }
}
