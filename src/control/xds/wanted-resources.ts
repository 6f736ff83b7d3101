/**
 * Resources that requests ask for by name, of one kind and place (VHDS, on-demand CDS). One that was found stays
 * subscribed. One that the server does not have is given up after a while: until then the server would tell of it,
 * so a further request for it is answered at once.
 */
import type { Observable, Subscription } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { ResourceState } from "./resource-batch.ts";

const absentKeptMs = 5_000;

export interface WantedResourcesContext<T> {
  readonly subscribe: (name: string) => Observable<ResourceState<T>>;
  readonly clock: Clock;
  /** Whether one name more may be asked for. */
  readonly hasRoom: () => boolean;
  /** A name was not asked for, since there are too many. */
  readonly countOverflow: () => void;
  /** Before those are told who asked. */
  readonly onState?: (name: string, state: ResourceState<T>) => void;
}

interface Wanted {
  state: ResourceState<unknown>["kind"];
  readonly asking: Set<() => void>;
  subscription: Subscription | undefined;
  /** Until it is given up. */
  expiry: Disposable | undefined;
}

export class WantedResources<T> implements Disposable {
  readonly #context: WantedResourcesContext<T>;
  readonly #wanted = new Map<string, Wanted>();

  constructor(context: WantedResourcesContext<T>) {
    this.#context = context;
  }

  /** It is subscribed to. */
  has(name: string): boolean {
    return this.#wanted.has(name);
  }

  get size(): number {
    return this.#wanted.size;
  }

  /** Calls back, maybe before it returns, when it is there or known not to be. Disposed: nobody asks any more. */
  want(name: string, onAnswered: () => void): Disposable {
    const wanted = this.#wanted.get(name) ?? this.#ask(name);
    if (wanted?.state === "requested") wanted.asking.add(onAnswered);
    else onAnswered();
    return { [Symbol.dispose]: () => this.#unask(name, onAnswered) };
  }

  [Symbol.dispose](): void {
    for (const { asking } of this.#wanted.values()) for (const onAnswered of asking) onAnswered();
    for (const name of this.#wanted.keys()) this.#giveUp(name);
  }

  #ask(name: string): Wanted | undefined {
    const { hasRoom, countOverflow, subscribe } = this.#context;
    if (!hasRoom()) {
      countOverflow();
      return undefined;
    }
    const wanted: Wanted = {
      state: "requested",
      asking: new Set(),
      subscription: undefined,
      expiry: undefined,
    };
    this.#wanted.set(name, wanted);
    wanted.subscription = subscribe(name).subscribe((state) => this.#onState(name, wanted, state));
    return wanted;
  }

  #onState(name: string, wanted: Wanted, state: ResourceState<T>): void {
    wanted.state = state.kind;
    wanted.expiry?.[Symbol.dispose]();
    wanted.expiry = undefined;
    this.#context.onState?.(name, state);
    if (state.kind === "requested") return;
    if (state.kind !== "present") {
      const { clock } = this.#context;
      wanted.expiry = clock.startTimer(absentKeptMs, () => this.#giveUp(name));
    }
    const asking = [...wanted.asking];
    wanted.asking.clear();
    for (const onAnswered of asking) onAnswered();
  }

  /** What nobody waits for, and was never answered, does not stay subscribed. */
  #unask(name: string, onAnswered: () => void): void {
    const wanted = this.#wanted.get(name);
    if (!wanted?.asking.delete(onAnswered) || wanted.asking.size > 0) return;
    if (wanted.state === "requested") this.#giveUp(name);
  }

  #giveUp(name: string): void {
    const wanted = this.#wanted.get(name);
    this.#wanted.delete(name);
    wanted?.expiry?.[Symbol.dispose]();
    wanted?.subscription?.unsubscribe();
  }
}
