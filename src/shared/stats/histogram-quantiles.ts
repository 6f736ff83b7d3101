/**
 * Quantiles of a bucketed histogram, by linear interpolation inside the bucket they fall into. Envoy
 * keeps finer buckets (circllhist), so its figures are closer to the values; names and form are its own.
 */
import { histogramBounds } from "./stat-group.ts";

/** In percent, as Envoy prints them. */
export const supportedQuantiles = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

/** The value at each of `supportedQuantiles`; undefined where nothing was recorded. */
export function computeQuantiles(buckets: readonly number[]): readonly (number | undefined)[] {
  const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
  return supportedQuantiles.map((percent) =>
    count > 0 ? valueAt(buckets, (count * percent) / 100) : undefined,
  );
}

function valueAt(buckets: readonly number[], rank: number): number {
  let below = 0;
  let lastUpper = 0;
  for (const [i, count] of buckets.entries()) {
    if (count === 0) continue;
    const lower = i === 0 ? 0 : boundAt(i - 1);
    // What lies beyond the last bound is shown as the last bound.
    const upper = boundAt(i);
    if (rank <= below + count) return lower + ((upper - lower) * (rank - below)) / count;
    below += count;
    lastUpper = upper;
  }
  // Only rounding of the rank leads here.
  return lastUpper;
}

function boundAt(index: number): number {
  return histogramBounds[Math.min(index, histogramBounds.length - 1)] as number;
}
