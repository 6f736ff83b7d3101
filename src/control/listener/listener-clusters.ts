import type { DecodedListener } from "../config/decoded-listener.ts";

/** Clusters that its inline routes and its TCP proxies name. */
export function clustersOf({ config, requiredClusters }: DecodedListener): ReadonlySet<string> {
  const chains = config.defaultFilterChain
    ? [...config.filterChains, config.defaultFilterChain]
    : config.filterChains;
  const proxied = chains.flatMap(({ filters }) =>
    filters.flatMap((filter) =>
      filter.kind === "tcpProxy" ? filter.config.clusters.map(({ name }) => name) : [],
    ),
  );
  return new Set([...requiredClusters, ...proxied]);
}
