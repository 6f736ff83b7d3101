/**
 * Stats across generations (Envoy: `StatMerger`). A counter goes on from where the parent's is; a gauge of what is open
 * shows both generations' for as long as there are two. What the child does not count itself is passed over.
 */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { StatStore } from "../../shared/stats/stat-store.ts";

/** What adds up over generations (Envoy: `ImportMode::Accumulate`); all other gauges say how one generation is. */
const accumulates = /_(?:cx|rq|rq_pending)_active$|_bytes_buffered$/;

/** Counters as what was added. */
export interface CarriedNumbers {
  readonly counterDeltas: Readonly<Record<string, number | bigint>>;
  readonly gauges: Readonly<Record<string, number | bigint>>;
}

interface Share {
  readonly block: StatBlock;
  readonly value: number;
}

export class StatMerger {
  readonly #store: StatStore;
  readonly #slab: MainStats["slab"];
  /** What of a gauge is the parent's. */
  #gauges: Map<string, Share> = new Map();

  constructor(store: StatStore, slab: MainStats["slab"]) {
    this.#store = store;
    this.#slab = slab;
  }

  merge({ counterDeltas, gauges }: CarriedNumbers): void {
    for (const [name, delta] of Object.entries(counterDeltas)) {
      const found = this.#store.find(name);
      if (found?.kind === "counter") this.#slab.add(found.block, found.offset, Number(delta));
    }
    const accumulated = Object.entries(gauges).filter(([name]) => accumulates.test(name));
    this.#setGauges(new Map(accumulated.map(([name, value]) => [name, Number(value)])));
  }

  /** The parent is gone, and with it what it had open. */
  forgetGauges(): void {
    this.#setGauges(new Map());
  }

  #setGauges(values: ReadonlyMap<string, number>): void {
    for (const [name, { block, value }] of this.#gauges) {
      const found = this.#store.find(name);
      // Another block: what was added has gone with the one before.
      if (found?.block === block) this.#slab.add(block, found.offset, -value);
    }
    const added = new Map<string, Share>();
    for (const [name, value] of values) {
      const found = this.#store.find(name);
      if (found?.kind !== "gauge") continue;
      this.#slab.add(found.block, found.offset, value);
      added.set(name, { block: found.block, value });
    }
    this.#gauges = added;
  }
}

/** What a parent says of its stats: counters as what was added since it was last asked. */
export class StatExporter {
  readonly #store: StatStore;
  #last = new Map<string, number>();

  constructor(store: StatStore) {
    this.#store = store;
  }

  next() {
    const { counters, gauges } = this.#store.snapshot();
    const counterDeltas: Record<string, number> = {};
    const last = new Map<string, number>();
    for (const { name, value } of counters) {
      const delta = value - (this.#last.get(name) ?? 0);
      last.set(name, value);
      if (delta > 0) counterDeltas[name] = Math.floor(delta);
    }
    this.#last = last;
    const used = gauges.filter(({ value }) => value > 0);
    return {
      counterDeltas,
      gauges: Object.fromEntries(used.map(({ name, value }) => [name, Math.floor(value)])),
    };
  }
}
