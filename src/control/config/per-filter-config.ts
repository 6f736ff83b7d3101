/**
 * `typed_per_filter_config`: what a route says to a filter. Any filter is turned off by it, or on again; `on_demand`
 * listens to more, and filters of `--http-filter` to all that they can be configured with. Another configuration is
 * refused unless its sender made it optional or the filter is one without effect.
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { FilterConfig } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { PerRouteConfig } from "../../../gen/es/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.d.ts";
import type { FilterSwitches, OnDemandOverrides } from "../../shared/config/route-config.ts";
import { readBinary } from "../proto/binary.ts";
import { typeNameOf } from "../proto/type-url.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";
import { decodeModuleFilter, findModuleFilter } from "./module-filters.ts";
import { decodeOnDemandClusters } from "./on-demand-clusters.ts";

const wrapper = "envoy.config.route.v3.FilterConfig" as const;
const perRouteTypeName = "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig" as const;

/** A part of a route, a virtual host or a route configuration; empty where it says nothing. */
export interface PerFilterConfigs {
  readonly onDemand?: OnDemandOverrides;
  readonly filterSwitches?: FilterSwitches;
}

/** By the names of filters. */
export function decodePerFilterConfigs(
  configs: Readonly<Record<string, Any>>,
  context: DecodeContext,
): PerFilterConfigs {
  const onDemand: OnDemandOverrides[number][] = [];
  const filterSwitches: FilterSwitches[number][] = [];
  for (const [filter, any] of Object.entries(configs)) {
    let config: Any | undefined = any;
    if (typeNameOf(any.typeUrl) === wrapper) {
      const read = unwrapped(filter, any, context);
      if (read) filterSwitches.push({ filter, isOn: read.isOn });
      config = read?.config;
    }
    const module = config && findModuleFilter(filter, config, context);
    if (module) {
      const own = decodeModuleFilter(module, context);
      if (own) filterSwitches.unshift({ filter, isOn: true, own });
    } else if (config) onDemand.push(...decodeOne(filter, config, context));
  }
  return {
    ...(onDemand.length > 0 && { onDemand }),
    ...(filterSwitches.length > 0 && { filterSwitches }),
  };
}

function decodeOne(filter: string, any: Any, context: DecodeContext): OnDemandOverrides {
  const found = findExtension("per-route configuration", { name: filter, any }, context);
  if (found?.extension.kind !== "onDemand") return [];
  const message = context.read(
    found.config,
    context.protos.schema<PerRouteConfig>(perRouteTypeName),
  );
  if (!message) return [];
  return [{ filter, clusters: message.odcds && decodeOnDemandClusters(message.odcds, context) }];
}

/** Undefined: it could not be read. */
function unwrapped(
  name: string,
  any: Any,
  context: DecodeContext,
): { readonly isOn: boolean; readonly config: Any | undefined } | undefined {
  const read = readBinary(context.protos.schema<FilterConfig>(wrapper), any.value);
  if (!read.ok) {
    context.refuse(read.errors.join("; "));
    return undefined;
  }
  const { isOptional, disabled, config } = read.value;
  if (disabled) return { isOn: false, config: undefined };
  // Says that the filter is on, and nothing more.
  if (config?.typeUrl === "") return { isOn: true, config: undefined };
  const isKnown =
    config !== undefined &&
    (typeNameOf(config.typeUrl) === perRouteTypeName ||
      findModuleFilter(name, config, context) !== undefined);
  if (!isOptional || isKnown) return { isOn: true, config };
  context.warn(`typed_per_filter_config.${name}`, "optional, and no such filter is built");
  return { isOn: true, config: undefined };
}
