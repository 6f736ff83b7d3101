/**
 * All stats of the process, on main: hands out blocks of slots that lie at the same place in every
 * thread's slab, and sums over the slabs when somebody reads. It never writes to a slab that a worker
 * writes to, with one exception: a block whose last owner has gone is zeroed, and by then no worker
 * may count in it. `/reset_counters` therefore moves a baseline in place of the counters.
 */
import type { StatAllocator } from "./stat-allocator.ts";
import type { StatBlock, StatGroup, StatMember } from "./stat-group.ts";
import { histogramBounds, histogramSumOffset } from "./stat-group.ts";
import {
  type HistogramValue,
  type StatFilter,
  type StatSnapshot,
  type StatValue,
  type TextReadout,
  compareNames,
} from "./stat-snapshot.ts";

/** Slots of block 0, the sink: as many as the largest group has, so that its writes hit no other block. */
export const sinkSlots = 1024;

/** The buckets of a histogram that holds nothing. */
const noCounts: readonly number[] = Array.from({ length: histogramBounds.length + 1 }, () => 0);

interface Entry {
  readonly block: StatBlock;
  readonly group: StatGroup;
  readonly prefix: string;
  references: number;
  /** By member offset: 1 once it was seen other than zero; undefined until one was. */
  used: Uint8Array | undefined;
  /** What `/reset_counters` takes off the sums, by slot; undefined until the first reset. */
  baseline: Float64Array | undefined;
  /** Histogram slots at the last flush and at the one before it; undefined until one has a value. */
  intervals: { latest: Float64Array; previous: Float64Array } | undefined;
}

export class StatStore implements StatAllocator {
  // Set once.
  readonly #slabs: readonly Float64Array[];
  readonly #slots: number;
  // Changed by allocate() and release() only.
  readonly #byPrefix = new Map<string, Map<StatGroup, Entry>>();
  readonly #byBlock = new Map<StatBlock, Entry>();
  readonly #free = new Map<number, StatBlock[]>();
  #next = sinkSlots;
  #refused = 0;
  readonly #texts = new Map<string, string>();

  /** One slab a thread, main's among them; all of one length. */
  constructor(slabs: readonly SharedArrayBuffer[]) {
    this.#slabs = slabs.map((slab) => new Float64Array(slab));
    this.#slots = Math.min(...this.#slabs.map((slab) => slab.length));
  }

  /** Allocations that found no room and count into the sink (`sluice.stats.blocks_refused`). */
  get refusedCount(): number {
    return this.#refused;
  }

  allocate(group: StatGroup, prefix: string): StatBlock {
    const groups = this.#byPrefix.get(prefix) ?? new Map<StatGroup, Entry>();
    const known = groups.get(group);
    if (known) {
      known.references++;
      return known.block;
    }
    const block = this.allocateUnnamed(group);
    if (block === 0) return block;
    const entry: Entry = {
      block,
      group,
      prefix,
      references: 1,
      used: undefined,
      baseline: undefined,
      intervals: undefined,
    };
    this.#byPrefix.set(prefix, groups.set(group, entry));
    this.#byBlock.set(block, entry);
    return block;
  }

  release(block: StatBlock): void {
    const entry = this.#byBlock.get(block);
    // The sink belongs to nobody.
    if (!entry || --entry.references > 0) return;
    this.#byBlock.delete(block);
    const groups = this.#byPrefix.get(entry.prefix);
    groups?.delete(entry.group);
    if (groups?.size === 0) this.#byPrefix.delete(entry.prefix);
    this.releaseUnnamed(block, entry.group);
  }

  allocateUnnamed({ size }: StatGroup): StatBlock {
    const block = this.#take(size);
    if (block === undefined) this.#refused++;
    return block ?? 0;
  }

  releaseUnnamed(block: StatBlock, { size }: StatGroup): void {
    if (block === 0) return;
    for (const slab of this.#slabs) slab.fill(0, block, block + size);
    const free = this.#free.get(size);
    if (free) free.push(block);
    else this.#free.set(size, [block]);
  }

  total(block: StatBlock, offset: number): number {
    return this.#sum(block + offset);
  }

  /** A text readout (`version_text`); undefined removes it. */
  setText(name: string, value: string | undefined): void {
    if (value === undefined) this.#texts.delete(name);
    else this.#texts.set(name, value);
  }

  /** Counters read as zero from now on; gauges and histograms stay (Envoy: `/reset_counters`). */
  resetCounters(): void {
    for (const entry of this.#byBlock.values()) {
      this.#markUsed(entry);
      entry.baseline ??= new Float64Array(entry.group.size);
      for (const { kind, offset } of entry.group.members)
        if (kind === "counter") entry.baseline[offset] = this.#sum(entry.block + offset);
    }
  }

  /** Ends a flush interval: histograms' interval values move on, and passing values mark their stats as used. */
  flush(): void {
    for (const entry of this.#byBlock.values()) {
      this.#markUsed(entry);
      if (entry.group.members.some((m) => m.kind === "histogram" && isUsed(entry, m)))
        this.#endInterval(entry);
    }
  }

  /** What the filter keeps; a name is judged before anything is made of it: there may be millions. */
  snapshot(filter?: Pick<StatFilter, "matches">): StatSnapshot {
    const counters = new Map<string, StatValue>();
    const gauges = new Map<string, StatValue>();
    const histograms = new Map<string, HistogramValue>();
    for (const entry of this.#byBlock.values()) {
      for (const member of entry.group.members) {
        const name = entry.prefix + member.name;
        if (filter?.matches(name) === false) continue;
        this.#markMemberUsed(entry, member);
        if (member.isShownOnceCounted && !isUsed(entry, member)) continue;
        if (member.kind === "histogram")
          mergeHistogram(histograms, this.#histogram(name, entry, member));
        else
          mergeValue(member.kind === "gauge" ? gauges : counters, this.#value(name, entry, member));
      }
    }
    return {
      counters: [...counters.values()].sort(compareNames),
      gauges: [...gauges.values()].sort(compareNames),
      histograms: [...histograms.values()].sort(compareNames),
      textReadouts: [...this.#texts]
        .map(([name, value]): TextReadout => ({ name, value }))
        .sort(compareNames),
    };
  }

  /** One counter or gauge by its full name; undefined where there is none. For tests and `/server_info`. */
  read(name: string): number | undefined {
    const { counters, gauges } = this.snapshot({ matches: (other) => other === name });
    return [...counters, ...gauges][0]?.value;
  }

  #take(size: number): StatBlock | undefined {
    const reused = this.#free.get(size)?.pop();
    if (reused !== undefined) return reused;
    if (size > sinkSlots || this.#next + size > this.#slots) return undefined;
    const block = this.#next;
    this.#next += size;
    return block;
  }

  #sum(slot: number): number {
    let sum = 0;
    for (const slab of this.#slabs) sum += slab[slot] as number;
    return sum;
  }

  #markUsed(entry: Entry): void {
    if (this.#isUntouched(entry)) return;
    for (const member of entry.group.members) this.#markMemberUsed(entry, member);
  }

  #markMemberUsed(entry: Entry, member: StatMember): void {
    if (isUsed(entry, member)) return;
    const slots = member.kind === "histogram" ? histogramSumOffset : 1;
    for (let i = 0; i < slots; i++) {
      if (this.#sum(entry.block + member.offset + i) === 0) continue;
      entry.used ??= new Uint8Array(entry.group.size);
      entry.used[member.offset] = 1;
    }
  }

  /** Most blocks of ten thousand listeners: one look at each of their slots, and no more. */
  #isUntouched({ block, group }: Entry): boolean {
    const end = block + group.size;
    for (const slab of this.#slabs)
      for (let slot = block; slot < end; slot++) if (slab[slot] !== 0) return false;
    return true;
  }

  #endInterval(entry: Entry): void {
    const latest = new Float64Array(entry.group.size);
    for (let i = 0; i < latest.length; i++) latest[i] = this.#sum(entry.block + i);
    const previous = entry.intervals?.latest ?? new Float64Array(entry.group.size);
    entry.intervals = { latest, previous };
  }

  #value(name: string, entry: Entry, member: StatMember): StatValue {
    const baseline = entry.baseline?.[member.offset] ?? 0;
    return {
      name,
      value: this.#sum(entry.block + member.offset) - baseline,
      isUsed: isUsed(entry, member),
    };
  }

  #histogram(name: string, entry: Entry, member: StatMember): HistogramValue {
    const { latest, previous } = entry.intervals ?? {};
    const at = (values: Float64Array | undefined, i: number): number =>
      values?.[member.offset + i] ?? 0;
    // Most histograms of a large configuration hold nothing: they share their zeros.
    const hasCounts = isUsed(entry, member);
    return {
      name,
      buckets: hasCounts
        ? noCounts.map((_, i) => this.#sum(entry.block + member.offset + i))
        : noCounts,
      intervalBuckets: latest ? noCounts.map((_, i) => at(latest, i) - at(previous, i)) : noCounts,
      sum: this.#sum(entry.block + member.offset + histogramSumOffset),
      isUsed: hasCounts,
    };
  }
}

function isUsed({ used }: Entry, { offset }: StatMember): boolean {
  return used?.[offset] === 1;
}

/** Two groups may name the same stat (listeners that share a `stat_prefix`): readers see the total. */
function mergeValue(into: Map<string, StatValue>, stat: StatValue): void {
  const other = into.get(stat.name);
  into.set(
    stat.name,
    other
      ? { ...stat, value: stat.value + other.value, isUsed: stat.isUsed || other.isUsed }
      : stat,
  );
}

function mergeHistogram(into: Map<string, HistogramValue>, stat: HistogramValue): void {
  const other = into.get(stat.name);
  if (!other) return void into.set(stat.name, stat);
  const added = (a: readonly number[], b: readonly number[]): number[] =>
    a.map((count, i) => count + (b[i] ?? 0));
  into.set(stat.name, {
    name: stat.name,
    buckets: added(stat.buckets, other.buckets),
    intervalBuckets: added(stat.intervalBuckets, other.intervalBuckets),
    sum: stat.sum + other.sum,
    isUsed: stat.isUsed || other.isUsed,
  });
}
