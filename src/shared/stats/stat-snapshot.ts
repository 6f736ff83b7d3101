/**
 * What all stats were at one moment, and which of them a reader asked for (`/stats?usedonly&filter=…&type=…`).
 * The formats (`stat-text`, `stat-json`, `prometheus-text`) print a snapshot and know nothing else.
 */

export interface StatValue {
  readonly name: string;
  readonly value: number;
  /** Something other than zero was seen in it since the process began. */
  readonly isUsed: boolean;
}

export interface HistogramValue {
  readonly name: string;
  /** Counts by bucket of `histogramBounds`, the infinite one last: since the process began. */
  readonly buckets: readonly number[];
  readonly sum: number;
  /** The same for the last complete flush interval. */
  readonly intervalBuckets: readonly number[];
  readonly isUsed: boolean;
}

export interface TextReadout {
  readonly name: string;
  readonly value: string;
}

/** Each list is sorted by name. */
export interface StatSnapshot {
  readonly counters: readonly StatValue[];
  readonly gauges: readonly StatValue[];
  readonly histograms: readonly HistogramValue[];
  readonly textReadouts: readonly TextReadout[];
}

export const statTypes = ["All", "Counters", "Gauges", "Histograms", "TextReadouts"] as const;
export type StatType = (typeof statTypes)[number];

export interface StatFilter {
  readonly usedOnly: boolean;
  readonly type: StatType;
  /** Which names to keep; the caller has compiled the expression and applied `invert_filter`. */
  readonly matches: (name: string) => boolean;
}

export function filterSnapshot(snapshot: StatSnapshot, filter: StatFilter): StatSnapshot {
  const wants = (type: StatType): boolean => filter.type === "All" || filter.type === type;
  const keep = (stat: { readonly name: string; readonly isUsed: boolean }): boolean =>
    (stat.isUsed || !filter.usedOnly) && filter.matches(stat.name);
  return {
    counters: wants("Counters") ? snapshot.counters.filter(keep) : [],
    gauges: wants("Gauges") ? snapshot.gauges.filter(keep) : [],
    histograms: wants("Histograms") ? snapshot.histograms.filter(keep) : [],
    textReadouts: wants("TextReadouts")
      ? snapshot.textReadouts.filter((stat) => keep({ name: stat.name, isUsed: true }))
      : [],
  };
}

/** By code unit, as Envoy sorts: locale order would mix case. */
export function compareNames(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
