import type { HttpFilter } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { OnDemand } from "../../../gen/es/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.d.ts";
import type { Router } from "../../../gen/es/envoy/extensions/filters/http/router/v3/router_pb.d.ts";
import type { HttpFilterConfig } from "../../shared/config/http-config.ts";
import type { TypedConfig } from "../proto/any.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type FoundExtension, findExtension, hasExtension } from "./extensions.ts";
import { judgeFilterOrder } from "./filter-order.ts";

interface BuiltFilter extends FoundExtension {
  readonly name: string;
}

export function decodeHttpFilters(
  messages: readonly HttpFilter[],
  context: DecodeContext,
): readonly HttpFilterConfig[] {
  const built = messages.flatMap((message) => findFilter(message, context) ?? []);
  const order = built.map(({ name, extension }) => ({
    name,
    type: extension.name,
    isTerminal: extension.kind === "router",
  }));
  // An unknown filter was refused; its place in the order says nothing any more.
  if (built.length === messages.length) judgeFilterOrder(order, "http", context);
  return built.flatMap((filter) => decodeFilter(filter, context) ?? []);
}

function findFilter(message: HttpFilter, context: DecodeContext): BuiltFilter | undefined {
  const { name, configType, isOptional, disabled } = message;
  if (disabled)
    context.refuse(`HTTP filter '${name}': enabling a filter by route is not supported`);
  if (configType.case === "configDiscovery") return undefined;
  const request = { name, any: configType.value };
  if (isOptional && !hasExtension("HTTP filter", request, context)) {
    context.warn(`http_filters.${name}`, "optional, and no such filter is built");
    return undefined;
  }
  const found = findExtension("HTTP filter", request, context);
  return found && { ...found, name };
}

function decodeFilter(
  { extension, config, name }: BuiltFilter,
  context: DecodeContext,
): HttpFilterConfig | undefined {
  if (extension.kind === "onDemand") return decodeOnDemand(config, context);
  if (extension.kind !== "router") return { kind: "noop", name };
  const schema = context.protos.schema<Router>("envoy.extensions.filters.http.router.v3.Router");
  const router = context.read(config, schema);
  if (!router) return undefined;
  judgeUpstreamFilters(router.upstreamHttpFilters, context);
  return { kind: "router", suppressEnvoyHeaders: router.suppressEnvoyHeaders };
}

/** Without `odcds` it lets requests wait for routes alone. */
function decodeOnDemand(config: TypedConfig, context: DecodeContext): HttpFilterConfig | undefined {
  const schema = context.protos.schema<OnDemand>(
    "envoy.extensions.filters.http.on_demand.v3.OnDemand",
  );
  const message = context.read(config, schema);
  if (message?.odcds) context.refuse("odcds is not supported: clusters are not fetched on demand");
  return message && { kind: "onDemand" };
}

/** Of the router and of clusters: only filters without effect may stand before the codec. */
export function judgeUpstreamFilters(filters: readonly HttpFilter[], context: DecodeContext): void {
  for (const { name, configType } of filters)
    if (configType.case !== "configDiscovery")
      findExtension("upstream HTTP filter", { name, any: configType.value }, context);
}
