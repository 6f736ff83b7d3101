/** `/stats?format=json`: Envoy's form, on one line. All histograms together are the last element. */
import { computeQuantiles, supportedQuantiles } from "./histogram-quantiles.ts";
import { type HistogramValue, type StatSnapshot, compareNames } from "./stat-snapshot.ts";

export function formatStatJson(snapshot: StatSnapshot): string {
  const scalars = [...snapshot.counters, ...snapshot.gauges].sort(compareNames);
  const stats: unknown[] = [
    ...snapshot.textReadouts.map(({ name, value }) => ({ name, value })),
    ...scalars.map(({ name, value }) => ({ name, value })),
  ];
  if (snapshot.histograms.length > 0) {
    stats.push({
      histograms: {
        supported_quantiles: supportedQuantiles,
        computed_quantiles: snapshot.histograms.map(quantilesOf),
      },
    });
  }
  return JSON.stringify({ stats });
}

function quantilesOf(stat: HistogramValue): unknown {
  const interval = computeQuantiles(stat.intervalBuckets);
  return {
    name: stat.name,
    values: computeQuantiles(stat.buckets).map((cumulative, i) => ({
      cumulative: cumulative ?? null,
      interval: interval[i] ?? null,
    })),
  };
}
