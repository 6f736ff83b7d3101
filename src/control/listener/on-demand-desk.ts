/**
 * Where workers' wants arrive. Several workers may want the same thing: it is looked for once, and each of them
 * is told. What the last of them has given up is not looked for any longer.
 */
import { type OnDemandWant, type WantOutcome, wantKey } from "../../shared/protocol/on-demand.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";

/**
 * Looks for it. `onAnswered` is called once, maybe before this returns, when workers have been told all there is to
 * know; disposed, it is not.
 */
export type AnswerWant = (
  want: OnDemandWant,
  onAnswered: (outcome?: WantOutcome) => void,
) => Disposable;

interface Entry {
  readonly want: OnDemandWant;
  readonly workers: Set<number>;
  search: Disposable | undefined;
}

export class OnDemandDesk {
  readonly #pool: Pick<WorkerPool, "postTo">;
  readonly #answer: AnswerWant;
  readonly #entries = new Map<string, Entry>();

  constructor(pool: Pick<WorkerPool, "postTo" | "subscribe">, answer: AnswerWant) {
    this.#pool = pool;
    this.#answer = answer;
    pool.subscribe({
      onEvent: (worker, event) => this.#onEvent(worker, event),
      onExit: (worker) => this.#onExit(worker),
    });
  }

  /** Things that somebody waits for. */
  get size(): number {
    return this.#entries.size;
  }

  #onEvent(worker: number, event: WorkerEvent): void {
    if (event.kind === "wanted") this.#onWanted(worker, event.want);
    else if (event.kind === "unwanted") this.#onUnwanted(worker, wantKey(event.want));
  }

  #onWanted(worker: number, want: OnDemandWant): void {
    const key = wantKey(want);
    const known = this.#entries.get(key);
    if (known) {
      known.workers.add(worker);
      return;
    }
    const entry: Entry = { want, workers: new Set([worker]), search: undefined };
    this.#entries.set(key, entry);
    const search = this.#answer(want, (outcome = "answered") =>
      this.#onAnswered(key, entry, outcome),
    );
    if (this.#entries.get(key) === entry) entry.search = search;
    else search[Symbol.dispose]();
  }

  #onAnswered(key: string, entry: Entry, outcome: WantOutcome): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    for (const worker of entry.workers)
      this.#pool.postTo(worker, { kind: "answered", want: entry.want, outcome });
    entry.search?.[Symbol.dispose]();
  }

  #onUnwanted(worker: number, key: string): void {
    const entry = this.#entries.get(key);
    if (!entry?.workers.delete(worker) || entry.workers.size > 0) return;
    this.#entries.delete(key);
    entry.search?.[Symbol.dispose]();
  }

  #onExit(worker: number): void {
    for (const key of this.#entries.keys()) this.#onUnwanted(worker, key);
  }
}
