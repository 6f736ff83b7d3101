/** The HTTP filters of a connection manager, in their order. */
import type { HttpFilter } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { HttpFilterConfig, PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
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

export function decodeHttpFilters(
  messages: readonly HttpFilter[],
  needs: ListenerNeeds,
  context: DecodeContext,
  chain: FilterChainKind = "http",
): readonly HttpFilterConfig[] {
  const found = messages.flatMap((message, index) => {
    const isLast = index === messages.length - 1;
    return findFilter(message, isLast, context) ?? [];
  });
  // An unknown filter was refused; its place in the order says nothing any more.
  if (found.length === messages.length) judgeFilterOrder(found.map(ordered), chain, context);
  return found.flatMap((filter) => {
    if ("module" in filter) return decodeModuleFilter(filter, context) ?? [];
    if ("source" in filter) return decodeDiscovered(filter, needs, context) ?? [];
    return decodeHttpFilterConfig(filter, needs, context) ?? [];
  });
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
): BuiltFilter | DiscoveredFilter | ModuleFilter | undefined {
  if (disabled)
    context.refuse(`HTTP filter '${name}': enabling a filter by route is not supported`);
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
function ordered(filter: BuiltFilter | DiscoveredFilter | ModuleFilter): OrderedFilter {
  const { name } = filter;
  if ("module" in filter) return { name, type: filter.module.name, isTerminal: false };
  if ("source" in filter) return { name, type: "", isTerminal: undefined };
  return { name, type: filter.extension.name, isTerminal: isTerminalFilter(filter.extension) };
}
