/**
 * `typed_per_filter_config`: what a route says to a filter. No filter that is built listens, so a
 * configuration is refused unless its sender made it optional or the filter is one without effect.
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { FilterConfig } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import { readBinary } from "../proto/binary.ts";
import { typeNameOf } from "../proto/type-url.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";

const wrapper = "envoy.config.route.v3.FilterConfig" as const;

export function judgePerFilterConfigs(
  configs: Readonly<Record<string, Any>>,
  context: DecodeContext,
): void {
  for (const [name, any] of Object.entries(configs)) {
    if (typeNameOf(any.typeUrl) === wrapper) judgeWrapped(name, any, context);
    else findExtension("per-route configuration", { name, any }, context);
  }
}

function judgeWrapped(name: string, any: Any, context: DecodeContext): void {
  const read = readBinary(context.protos.schema<FilterConfig>(wrapper), any.value);
  if (!read.ok) return context.refuse(read.errors.join("; "));
  const { isOptional, disabled, config } = read.value;
  if (disabled)
    context.refuse(
      `typed_per_filter_config '${name}': disabling a filter by route is not supported`,
    );
  else if (isOptional)
    context.warn(`typed_per_filter_config.${name}`, "optional, and no such filter is built");
  else findExtension("per-route configuration", { name, any: config }, context);
}
