/** Which trees of stats the filters of a listener count in. All listeners share them, so they come and go by reference. */
import type { ListenerFilterConfig } from "../../shared/config/listener-filter-config.ts";
import type { BlocksByPrefix } from "../../shared/protocol/worker-command.ts";
import {
  type FilterStatTree,
  httpInspectorStats,
  listenerFilterPrefixes,
  localRateLimitStats,
  proxyProtocolErrorStats,
  proxyProtocolStats,
  tlsInspectorStats,
} from "../../shared/stats/listener-filter-stats.ts";
import type { StatAllocator } from "../../shared/stats/stat-allocator.ts";

const none: BlocksByPrefix = [];

export function listenerFilterBlocks(
  filters: readonly ListenerFilterConfig[],
  allocate: StatAllocator["allocate"],
): BlocksByPrefix {
  if (filters.length === 0) return none;
  const trees = new Map(filters.flatMap(treesOf).map((tree) => [tree.prefix, tree]));
  return [...trees.values()].map(({ group, prefix }) => [prefix, allocate(group, prefix)]);
}

function treesOf({ filter }: ListenerFilterConfig): readonly FilterStatTree[] {
  switch (filter.kind) {
    case "tlsInspector":
      return [{ group: tlsInspectorStats, prefix: listenerFilterPrefixes.tlsInspector }];
    case "httpInspector":
      return [{ group: httpInspectorStats, prefix: listenerFilterPrefixes.httpInspector }];
    case "originalSource":
    case "originalDestination":
      return [];
    case "localRateLimit": {
      const prefix = listenerFilterPrefixes.localRateLimit(filter.statPrefix);
      return [{ group: localRateLimitStats, prefix }];
    }
    case "proxyProtocol":
      return [
        {
          group: proxyProtocolStats,
          prefix: listenerFilterPrefixes.proxyProtocol(filter.statPrefix),
        },
        { group: proxyProtocolErrorStats, prefix: "" },
      ];
    default:
      return filter satisfies never;
  }
}
