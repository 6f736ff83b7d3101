import type { DecodedListener } from "../config/decoded-listener.ts";
import { knownFilters } from "../config/listener-facts.ts";
import type { NetworkFilterConfig } from "../../shared/config/listener-config.ts";

/** Clusters that its inline routes and its TCP proxies name. */
export function clustersOf({ config, requiredClusters }: DecodedListener): ReadonlySet<string> {
  const chains = config.defaultFilterChain
    ? [...config.filterChains, config.defaultFilterChain]
    : config.filterChains;
  return new Set([
    ...requiredClusters,
    ...chains.flatMap(({ filters }) => proxiedClusters(filters)),
  ]);
}

export function proxiedClusters(filters: readonly NetworkFilterConfig[]): readonly string[] {
  return knownFilters(filters).flatMap((filter) =>
    filter.kind === "tcpProxy" ? filter.config.clusters.map(({ name }) => name) : [],
  );
}
