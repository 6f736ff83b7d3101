/** The network filters of a filter chain, in their order. */
import type { Filter } from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type {
  NetworkFilterConfig,
  PlainNetworkFilterConfig,
} from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import {
  type DiscoveredFilter,
  decodeDiscoveredFilter,
  type FilterDecoder,
} from "./discovered-filters.ts";
import { findExtension } from "./extensions.ts";
import { judgeFilterOrder, type OrderedFilter } from "./filter-order.ts";
import {
  type BuiltNetworkFilter,
  decodeNetworkFilterConfig,
  isTerminalNetworkFilter,
} from "./network-filter-configs.ts";

export function decodeNetworkFilters(
  messages: readonly Filter[],
  needs: ListenerNeeds,
  context: DecodeContext,
): readonly NetworkFilterConfig[] {
  const found = messages.flatMap((message, index) => {
    const isLast = index === messages.length - 1;
    return findFilter(message, isLast, context) ?? [];
  });
  // An unknown filter was refused; its place in the order says nothing any more.
  if (found.length === messages.length) judgeFilterOrder(found.map(ordered), "network", context);
  return found.flatMap((filter) => {
    if ("source" in filter) return decodeDiscovered(filter, needs, context) ?? [];
    return decodeNetworkFilterConfig(filter, needs, context) ?? [];
  });
}

function findFilter(
  { name, configType }: Filter,
  isLast: boolean,
  context: DecodeContext,
): BuiltNetworkFilter | DiscoveredFilter | undefined {
  if (configType.case === "configDiscovery") return { name, source: configType.value, isLast };
  const found = findExtension("network filter", { name, any: configType.value }, context);
  return found && { ...found, name };
}

/** One that is discovered is judged when it comes. */
function ordered(filter: BuiltNetworkFilter | DiscoveredFilter): OrderedFilter {
  const { name } = filter;
  if ("source" in filter) return { name, type: "", isTerminal: undefined };
  const { extension } = filter;
  return { name, type: extension.name, isTerminal: isTerminalNetworkFilter(extension) };
}

const networkFilters: FilterDecoder<PlainNetworkFilterConfig> = {
  category: "network filter",
  decode: decodeNetworkFilterConfig,
};

function decodeDiscovered(
  filter: DiscoveredFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): NetworkFilterConfig | undefined {
  const place = decodeDiscoveredFilter(filter, networkFilters, needs, context);
  return place && { kind: "discovered", id: place.id, fallback: place.fallback };
}
