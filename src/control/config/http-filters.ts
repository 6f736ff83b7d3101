/** The HTTP filters of a connection manager, in their order. */
import type { HttpFilter } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type {
  HttpFilterConfig,
  PlacedHttpFilter,
  PlainHttpFilterConfig,
} from "../../shared/config/http-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { credentialInjectorTypeName } from "./credential-injectors.ts";
import {
  type DiscoveredFilter,
  decodeDiscoveredFilter,
  type FilterDecoder,
} from "./discovered-filters.ts";
import { findExtension, hasExtension } from "./extensions.ts";
import { type FilterChainKind, judgeFilterOrder, type OrderedFilter } from "./filter-order.ts";
import { decodeModuleFilter, findModuleFilter, type ModuleFilter } from "./module-filters.ts";
import {
  type BuiltFilter,
  decodeHttpFilterConfig,
  isTerminalFilter,
} from "./http-filter-configs.ts";

type FoundFilter = BuiltFilter | DiscoveredFilter | ModuleFilter;

export function decodeHttpFilters(
  messages: readonly HttpFilter[],
  needs: ListenerNeeds,
  context: DecodeContext,
  chain: FilterChainKind = "http",
): readonly PlacedHttpFilter[] {
  const found = messages.flatMap((message, index) => {
    const isLast = index === messages.length - 1;
    const filter = findFilter(message, isLast, context);
    return filter ? { filter, isDisabled: message.disabled } : [];
  });
  // An unknown filter was refused; its place in the order says nothing any more.
  if (found.length === messages.length)
    judgeFilterOrder(
      found.map(({ filter }) => ordered(filter)),
      chain,
      context,
    );
  return found.flatMap(({ filter, isDisabled }) => {
    const config = decodeFilter(filter, needs, context);
    if (!config || config.kind === "router") return config ?? [];
    return { ...config, filterName: filter.name, ...(isDisabled && { isDisabled }) };
  });
}

function decodeFilter(
  filter: FoundFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpFilterConfig | undefined {
  if ("module" in filter) return decodeModuleFilter(filter, context);
  if ("source" in filter) return decodeDiscovered(filter, needs, context);
  return decodeHttpFilterConfig(filter, needs, context);
}

const httpFilters: FilterDecoder<PlainHttpFilterConfig> = {
  category: "HTTP filter",
  decode: decodeHttpFilterConfig,
};

function decodeDiscovered(
  filter: DiscoveredFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpFilterConfig | undefined {
  const place = decodeDiscoveredFilter(filter, httpFilters, needs, context);
  if (!place) return undefined;
  const { id, typeNames, fallback } = place;
  const mayInjectCredentials = typeNames.includes(credentialInjectorTypeName);
  return { kind: "discovered", id, mayInjectCredentials, fallback };
}

function findFilter(
  { name, configType, isOptional, disabled }: HttpFilter,
  isLast: boolean,
  context: DecodeContext,
): FoundFilter | undefined {
  if (disabled && isLast)
    context.refuse(`HTTP filter '${name}': the last filter of a chain cannot be disabled`);
  if (configType.case === "configDiscovery") return { name, source: configType.value, isLast };
  const request = { name, any: configType.value };
  if (isOptional && !hasExtension("HTTP filter", request, context)) {
    context.warn(`http_filters.${name}`, "optional, and no such filter is built");
    return undefined;
  }
  const own = findModuleFilter(name, configType.value, context);
  if (own) return own;
  const found = findExtension("HTTP filter", request, context);
  return found && { ...found, name };
}

/** One that is discovered is judged when it comes. */
function ordered(filter: FoundFilter): OrderedFilter {
  const { name } = filter;
  if ("module" in filter) return { name, type: filter.module.name, isTerminal: false };
  if ("source" in filter) return { name, type: "", isTerminal: undefined };
  return { name, type: filter.extension.name, isTerminal: isTerminalFilter(filter.extension) };
}
