/**
 * A child that has been given something which cannot be given twice: the admin, and then the accepting. For as long as it
 * has not lived with it for a while, its parent can still take it back, and does so when the child is gone.
 *
 *     idle ──hold()──▶ watching ──gone──▶ idle (taken back)
 *                         └──lived long enough after its drain──▶ idle (let go)
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { ChildProcess } from "./child-process.ts";

/** Between two looks: who connects meanwhile waits in the accept queue. */
const lookEveryMs = 100;
/** A child that has served for so long is no failed restart any more. */
export const holdMs = 30_000;

export interface ChildWatchParts {
  readonly clock: Clock;
  /** What it was given is ours again. */
  readonly onGone: () => void;
  /** Sockets that were kept in case need be kept no longer. */
  readonly onSettled: () => void;
}

type WatchState =
  | { readonly kind: "idle" }
  | {
      readonly kind: "watching";
      readonly child: ChildProcess;
      readonly settledAtMs: number;
    };

export class ChildWatch implements Disposable {
  readonly #parts: ChildWatchParts;
  #state: WatchState = { kind: "idle" };
  #next: Disposable | undefined;

  constructor(parts: ChildWatchParts) {
    this.#parts = parts;
  }

  /** The child has been given something; `isAll`: it has been given all. */
  hold(child: ChildProcess, isAll: boolean): void {
    const settledAtMs = isAll ? this.#parts.clock.now() + holdMs : Number.POSITIVE_INFINITY;
    this.#state = { kind: "watching", child, settledAtMs };
    if (!this.#next) this.#look();
  }

  /** Somebody asks: another child, where the one that is watched has ended and the name is there again. */
  heard(): void {
    if (this.#state.kind === "watching" && this.#state.child.hasEnded)
      this.#end(this.#parts.onGone);
  }

  [Symbol.dispose](): void {
    this.#end(() => {});
  }

  #look(): void {
    const { clock, onGone, onSettled } = this.#parts;
    this.#next = clock.startTimer(lookEveryMs, () => {
      const state = this.#state;
      if (state.kind === "idle") return;
      if (!state.child.isThere) return this.#end(onGone);
      if (clock.now() >= state.settledAtMs) return this.#end(onSettled);
      this.#look();
    });
  }

  #end(then: () => void): void {
    if (this.#state.kind === "idle") return;
    this.#state = { kind: "idle" };
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    then();
  }
}
