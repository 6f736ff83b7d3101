/**
 * A node of the tree of drain managers: server → listener → filter chain (Envoy: `DrainManager`). A node may
 * drain alone; a connection is asked to close when its node or any above it drains, so a drain of the
 * server reaches children that are made after it began.
 *
 * This is the timeline only: what is drained, and what becomes of it at the deadline, is its owner's.
 */
import type { Clock } from "../common/clock.ts";
import type { DrainDirection, DrainStart, DrainType } from "./drain.ts";

export type DrainManagerState =
  | { readonly kind: "serving" }
  | {
      readonly kind: "draining";
      readonly start: DrainStart;
      readonly direction: DrainDirection;
      readonly deadline: Disposable;
    }
  /** Told that nothing is left, or past its deadline; connections that still come are closed at once. */
  | { readonly kind: "drained"; readonly direction: DrainDirection };

export interface DrainManagerContext {
  readonly clock: Clock;
  /** `/healthcheck/fail` is in force; heeded by DrainType `default` alone. */
  readonly isHealthCheckFailed: () => boolean;
}

export class DrainManager {
  readonly #type: DrainType;
  readonly #context: DrainManagerContext;
  readonly #parent: DrainManager | undefined;
  #state: DrainManagerState = { kind: "serving" };

  constructor(type: DrainType, context: DrainManagerContext, parent?: DrainManager) {
    this.#type = type;
    this.#context = context;
    this.#parent = parent;
  }

  createChildManager(type: DrainType): DrainManager {
    return new DrainManager(type, this.#context, this);
  }

  get state(): DrainManagerState {
    return this.#state;
  }

  /** True while this node itself, not one above it, drains in the direction or has done so. */
  isDraining(direction: DrainDirection): boolean {
    return this.#state.kind !== "serving" && covers(this.#state.direction, direction);
  }

  /**
   * Begins the drain and calls `onDeadline` once when its time is up, unless `complete` comes first. False,
   * without effect, when the direction drains already; a wider one replaces the narrower.
   */
  startDrainSequence(
    start: DrainStart,
    direction: DrainDirection,
    onDeadline: () => void,
  ): boolean {
    if (this.isDraining(direction)) return false;
    this.#drainUntil(start, direction, onDeadline);
    return true;
  }

  /** Its deadline is the one of `start` now, also where the earlier one has passed. */
  extendDrainSequence(start: DrainStart, onDeadline: () => void): void {
    if (this.#state.kind !== "serving") this.#drainUntil(start, this.#state.direction, onDeadline);
  }

  /** As if it had never begun. What was told to connections meanwhile cannot be taken back. */
  cancelDrainSequence(): void {
    this[Symbol.dispose]();
    this.#state = { kind: "serving" };
  }

  /** Ends the drain before its deadline: nothing is left. */
  complete(): void {
    if (this.#state.kind !== "draining") return;
    this[Symbol.dispose]();
    this.#state = { kind: "drained", direction: this.#state.direction };
  }

  /**
   * Whether a connection of `direction` that asks now should close. `chance` is uniform over [0, 1), drawn once
   * for the question: gradual drains answer yes with a probability that rises from 0 to 1 over their time.
   */
  drainClose(direction: DrainDirection, chance: number): boolean {
    if (this.#type === "default" && this.#context.isHealthCheckFailed()) return true;
    if (this.#isClosing(direction, chance)) return true;
    return this.#parent?.drainClose(direction, chance) ?? false;
  }

  /** Forgets the deadline. */
  [Symbol.dispose](): void {
    if (this.#state.kind === "draining") this.#state.deadline[Symbol.dispose]();
  }

  #drainUntil(start: DrainStart, direction: DrainDirection, onDeadline: () => void): void {
    this[Symbol.dispose]();
    const delayMs = Math.max(0, start.deadlineMs - this.#context.clock.now());
    const deadline = this.#context.clock.startTimer(delayMs, () => {
      this.#state = { kind: "drained", direction };
      onDeadline();
    });
    this.#state = { kind: "draining", start, direction, deadline };
  }

  #isClosing(direction: DrainDirection, chance: number): boolean {
    const state = this.#state;
    if (state.kind === "serving" || !covers(state.direction, direction)) return false;
    if (state.kind === "drained" || state.start.strategy === "immediate") return true;
    const { startMs, deadlineMs } = state.start;
    const elapsedMs = this.#context.clock.now() - startMs;
    return elapsedMs > chance * (deadlineMs - startMs);
  }
}

/** A drain of everything covers inbound connections too. */
export function covers(draining: DrainDirection, asked: DrainDirection): boolean {
  return draining === "all" || asked === "inboundOnly";
}
