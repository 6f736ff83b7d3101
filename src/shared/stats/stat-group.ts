/**
 * Stats live in slabs: one Float64Array per thread over shared memory, each with a single writer.
 * Main names the slots and sums over the slabs when somebody reads; the hot path is `values[slot]++`.
 *
 * A group is the list of stats that one owner has under one prefix (all of `listener.<address>.`).
 * Main allocates a block for it and sends only the block's first slot to the workers; every member
 * has a fixed offset, known to both sides from this table.
 */
export type StatKind = "counter" | "gauge" | "histogram";

/** Upper bounds of a histogram's buckets (Envoy's Prometheus defaults); the last one is infinite. */
export const histogramBounds = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
  600_000, 1_800_000, 3_600_000,
] as const;
/** Layout of a histogram: one slot a bucket, one for the infinite bucket, then the sum. */
export const histogramSlots = histogramBounds.length + 2;
export const histogramSumOffset = histogramBounds.length + 1;

export interface StatMember {
  readonly name: string;
  readonly kind: StatKind;
  readonly offset: number;
  /** It is in no list before it was counted once: Envoy makes such stats when they first happen. */
  readonly isShownOnceCounted: boolean;
}

export interface StatGroup<Name extends string = string> {
  readonly members: readonly StatMember[];
  /** Slots that a block of this group takes. */
  readonly size: number;
  /** The member's slot relative to the block. */
  offset(name: Name): number;
}

export function defineStats<
  const Counter extends string = never,
  const Gauge extends string = never,
  const Histogram extends string = never,
  const OnceCounted extends string = never,
  const OnceRecorded extends string = never,
>(names: {
  readonly counters?: readonly Counter[];
  readonly gauges?: readonly Gauge[];
  readonly histograms?: readonly Histogram[];
  /** Counters that are shown once they are not zero. */
  readonly onceCounted?: readonly OnceCounted[];
  /** Histograms that are shown once they have a value. */
  readonly onceRecorded?: readonly OnceRecorded[];
}): StatGroup<Counter | Gauge | Histogram | OnceCounted | OnceRecorded> {
  const members: StatMember[] = [];
  let size = 0;
  const add = (kind: StatKind, list: readonly string[] | undefined, slots: number): void => {
    for (const name of list ?? []) {
      const isShownOnceCounted = list === names.onceCounted || list === names.onceRecorded;
      members.push({ name, kind, offset: size, isShownOnceCounted });
      size += slots;
    }
  };
  add("counter", names.counters, 1);
  add("gauge", names.gauges, 1);
  add("histogram", names.histograms, histogramSlots);
  add("counter", names.onceCounted, 1);
  add("histogram", names.onceRecorded, histogramSlots);
  const offsets = new Map(members.map((member) => [member.name, member.offset]));
  return { members, size, offset: (name) => offsets.get(name) as number };
}

/** Adds one value, `times` over, to the histogram whose first slot is `slot`. */
export function recordHistogram(
  values: Float64Array,
  slot: number,
  value: number,
  times = 1,
): void {
  let bucket = 0;
  while (bucket < histogramBounds.length && value > (histogramBounds[bucket] as number)) bucket++;
  (values[slot + bucket] as number) += times;
  (values[slot + histogramSumOffset] as number) += value * times;
}

/** Where a block begins in every slab. Slot 0 is a sink for what found no room. */
export type StatBlock = number;
