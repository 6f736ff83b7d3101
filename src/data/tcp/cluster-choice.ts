/** Which cluster a connection goes to: drawn once, however often connecting is tried. */
import type { Random } from "../../shared/common/random.ts";
import type { WeightedCluster } from "../../shared/config/route-config.ts";

/** By weight; main has checked that the list is not empty and that the weights do not sum to zero. */
export function chooseCluster(clusters: readonly WeightedCluster[], random: Random): string {
  const last = clusters.at(-1)?.name ?? "";
  if (clusters.length <= 1) return last;
  const total = clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  let left = random.next() * total;
  for (const cluster of clusters) {
    left -= cluster.weight;
    if (left < 0) return cluster.name;
  }
  return last;
}
