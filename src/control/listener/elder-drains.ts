/**
 * Drains of the processes that this one took over from, as they tell of them: seen among our own, under numbers of ours, and
 * steered by nobody here. When such a process has ended, what it had not told the end of has ended with it.
 */
import type { DrainConnectionsView, DrainView } from "./drain-view.ts";
import { rfc3339 } from "./drain-record.ts";
import { readToldDrain } from "./told-drain.ts";

/** What is told beyond that is not shown; of those that have ended the oldest go first. */
const keptMax = 200;

export interface ElderDrainsContext {
  /** The next number of a drain in this process. */
  readonly takeNumber: () => number;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
  readonly onChange: () => void;
}

export interface ToldDrains {
  readonly generation: number;
  readonly drains: readonly unknown[];
}

export class ElderDrains {
  readonly #context: ElderDrainsContext;
  /** By process and number there, oldest first. */
  readonly #views = new Map<string, DrainView>();

  constructor(context: ElderDrainsContext) {
    this.#context = context;
  }

  tell(generations: readonly ToldDrains[]): void {
    for (const { generation, drains } of generations)
      for (const told of drains) {
        const drain = readToldDrain(told);
        if (drain) this.#keep(generation, drain);
      }
    this.#context.onChange();
  }

  /** The process that told has ended. */
  gone(): void {
    const endedAt = rfc3339(this.#context.wallTime());
    for (const [key, view] of this.#views)
      if (view.state === "draining") this.#views.set(key, ended(view, endedAt));
    this.#context.onChange();
  }

  views(): readonly DrainView[] {
    return [...this.#views.values()];
  }

  find(id: number): DrainView | undefined {
    return this.views().find((view) => view.id === id);
  }

  #keep(generation: number, drain: DrainView): void {
    const key = `${generation}/${drain.id}`;
    const known = this.#views.get(key);
    if (!known && this.#views.size >= keptMax && !this.#forgetOne()) return;
    const id = known?.id ?? this.#context.takeNumber();
    this.#views.set(key, { ...drain, id, process_generation: generation });
  }

  #forgetOne(): boolean {
    const [key] = [...this.#views].find(([, { state }]) => state !== "draining") ?? [];
    return key !== undefined && this.#views.delete(key);
  }
}

function ended(view: DrainView, endedAt: string): DrainView {
  const cut = view.connections.remaining > 0;
  const protocols = Object.entries(view.by_protocol).map(([name, each]) => [name, cutAll(each)]);
  return {
    ...view,
    state: cut ? "forced" : "complete",
    ended_at: endedAt,
    ended_by: "process",
    connections: cutAll(view.connections),
    by_protocol: Object.fromEntries(protocols),
  };
}

function cutAll(counts: DrainConnectionsView): DrainConnectionsView {
  return { ...counts, forced: counts.forced + counts.remaining, remaining: 0 };
}
