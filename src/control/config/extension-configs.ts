/** ECDS resources: `envoy.config.core.v3.TypedExtensionConfig`. Whether a type was asked for is judged by who did. */
import type { TypedExtensionConfig } from "../../../gen/es/envoy/config/core/v3/extension_pb.d.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { DecodedExtensionConfig, DecodedHttpFilter } from "./extension-config.ts";
import { findExtension, isBuilt } from "./extensions.ts";
import { decodeHttpFilterConfig, isTerminalFilter } from "./http-filter-configs.ts";

export const extensionConfigTypeName = "envoy.config.core.v3.TypedExtensionConfig" as const;

export function decodeExtensionConfig(
  message: TypedExtensionConfig,
  context: DecodeContext,
  bytes: Uint8Array,
): DecodedExtensionConfig | undefined {
  const typeName = context.open(message.typedConfig)?.typeName;
  if (typeName === undefined) return undefined;
  const filter = decodeFilter(message, typeName, context);
  return { name: message.name, typeName, filter, bytes };
}

function decodeFilter(
  { name, typedConfig: any }: TypedExtensionConfig,
  typeName: string,
  context: DecodeContext,
): DecodedHttpFilter | undefined {
  if (!isBuilt("HTTP filter", typeName)) return undefined;
  const found = findExtension("HTTP filter", { name, any }, context);
  const needs: ListenerNeeds = { dependencies: [], requiredClusters: [] };
  const config = found && decodeHttpFilterConfig({ ...found, name }, needs, context);
  if (!config || config.kind === "discovered") return undefined;
  return {
    config,
    type: found.extension.name,
    isTerminal: isTerminalFilter(found.extension),
    dependencies: needs.dependencies,
  };
}
