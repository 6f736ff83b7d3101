/**
 * Earliest deadline first (Envoy: `EdfScheduler`): each host falls due every 1/weight, the one due first
 * is picked. Over any stretch every host gets its share to within one pick, in an even interleaving.
 */
import type { Random } from "../../shared/common/random.ts";
import type { Host } from "./host.ts";

interface Entry {
  readonly host: Host;
  due: number;
}

export class EdfPicker {
  readonly isForeseeable = true;
  /** A binary heap by `due`; never empty. */
  readonly #heap: Entry[];
  readonly #weightOf: (host: Host) => number;

  /** `weightOf` is asked anew at each pick and must be positive. */
  constructor(hosts: readonly Host[], weightOf: (host: Host) => number, random: Random) {
    this.#weightOf = weightOf;
    // A random phase, so that workers do not all begin with the heaviest host.
    this.#heap = hosts
      .map((host) => ({ host, due: random.next() / weightOf(host) }))
      .sort((a, b) => a.due - b.due);
  }

  pick(): Host {
    const top = this.#heap[0] as Entry;
    top.due += 1 / this.#weightOf(top.host);
    this.#sinkTop(top);
    return top.host;
  }

  #sinkTop(entry: Entry): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const child = this.#earlierChild(index);
      const below = heap[child];
      if (!below || below.due >= entry.due) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = entry;
  }

  #earlierChild(index: number): number {
    const left = 2 * index + 1;
    const leftEntry = this.#heap[left];
    const rightEntry = this.#heap[left + 1];
    return leftEntry && rightEntry && rightEntry.due < leftEntry.due ? left + 1 : left;
  }
}
