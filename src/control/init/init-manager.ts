/**
 * What must be ready before something may start: the server before it serves, a listener before it
 * is active (Envoy: `Init::ManagerImpl`). It can be asked at any time what it still waits for.
 *
 * What one would get wrong: a target that is ready before `initialize` must not make the whole ready,
 * because more targets may still be added.
 */
import { assert } from "../../shared/common/assert.ts";

type InitState =
  /** Targets are being added; nothing is announced. */
  | { readonly kind: "collecting" }
  | { readonly kind: "waiting"; readonly onReady: () => void }
  | { readonly kind: "ready" };

/** One thing to wait for; whoever adds it says when it is there. */
export interface InitTarget {
  readonly name: string;
  /** Once is enough; more often is harmless, since an answer and a timeout may both come. */
  ready(): void;
}

export class InitManager {
  readonly name: string;
  readonly #unready = new Set<InitTarget>();
  #state: InitState = { kind: "collecting" };

  constructor(name: string) {
    this.name = name;
  }

  /** A target may be added while others are waited for, and not once all were ready. */
  add(name: string): InitTarget {
    assert(this.#state.kind !== "ready", `${this.name} is ready: too late for ${name}`);
    const target: InitTarget = { name, ready: () => this.#onReady(target) };
    this.#unready.add(target);
    return target;
  }

  /** Adds a target that is ready when the promise settles, whichever way. */
  addPromise(name: string, promise: Promise<unknown>): void {
    const target = this.add(name);
    const ready = (): void => target.ready();
    promise.then(ready, ready);
  }

  /** Calls `onReady` once, as soon as no target is left: at once if there is none. */
  initialize(onReady: () => void): void {
    assert(this.#state.kind === "collecting", `${this.name} was initialized twice`);
    this.#state = { kind: "waiting", onReady };
    this.#announce();
  }

  get isReady(): boolean {
    return this.#state.kind === "ready";
  }

  /** Names of what is not ready yet, for `/init_dump` and for the log of a slow start. */
  get awaiting(): readonly string[] {
    return [...this.#unready].map((target) => target.name);
  }

  #onReady(target: InitTarget): void {
    this.#unready.delete(target);
    this.#announce();
  }

  #announce(): void {
    if (this.#state.kind !== "waiting" || this.#unready.size > 0) return;
    const { onReady } = this.#state;
    this.#state = { kind: "ready" };
    onReady();
  }
}
