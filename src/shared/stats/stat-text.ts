/** `/stats`: text readouts, then counters and gauges together, then histograms, as Envoy orders them. */
import { computeQuantiles, supportedQuantiles } from "./histogram-quantiles.ts";
import { type HistogramValue, type StatSnapshot, compareNames } from "./stat-snapshot.ts";

export function formatStatText(snapshot: StatSnapshot): string {
  const scalars = [...snapshot.counters, ...snapshot.gauges].sort(compareNames);
  return [
    ...snapshot.textReadouts.map(({ name, value }) => `${name}: "${value}"\n`),
    ...scalars.map(({ name, value }) => `${name}: ${value}\n`),
    ...snapshot.histograms.map((stat) => `${stat.name}: ${quantileText(stat)}\n`),
  ].join("");
}

/** `P50(<last interval>,<since the start>)`; a side without values is `nan`. */
function quantileText(stat: HistogramValue): string {
  if (!stat.isUsed) return "No recorded values";
  const interval = computeQuantiles(stat.intervalBuckets);
  const cumulative = computeQuantiles(stat.buckets);
  return supportedQuantiles
    .map((percent, i) => `P${percent}(${interval[i] ?? "nan"},${cumulative[i] ?? "nan"})`)
    .join(" ");
}
