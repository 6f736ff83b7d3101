/** ECDS resources: `envoy.config.core.v3.TypedExtensionConfig`. Whether a type was asked for is judged by who did. */
import type { TypedExtensionConfig } from "../../../gen/es/envoy/config/core/v3/extension_pb.d.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { DecodedExtensionConfig, DecodedFilter } from "./extension-config.ts";
import type { FilterCategory } from "./extension-subscription.ts";
import { findExtension, isBuilt } from "./extensions.ts";
import { decodeHttpFilterConfig, isTerminalFilter } from "./http-filter-configs.ts";
import { decodeNetworkFilterConfig, isTerminalNetworkFilter } from "./network-filter-configs.ts";

export const extensionConfigTypeName = "envoy.config.core.v3.TypedExtensionConfig" as const;

const categories: readonly FilterCategory[] = ["HTTP filter", "network filter"];

export function decodeExtensionConfig(
  message: TypedExtensionConfig,
  context: DecodeContext,
  bytes: Uint8Array,
): DecodedExtensionConfig | undefined {
  const typeName = context.open(message.typedConfig)?.typeName;
  if (typeName === undefined) return undefined;
  const filters = categories
    .filter((category) => isBuilt(category, typeName))
    .flatMap((category) => decodeFilter(message, category, context) ?? []);
  return { name: message.name, typeName, filters, bytes };
}

function decodeFilter(
  { name, typedConfig: any }: TypedExtensionConfig,
  category: FilterCategory,
  context: DecodeContext,
): DecodedFilter | undefined {
  const found = findExtension(category, { name, any }, context);
  if (!found) return undefined;
  const { extension } = found;
  const needs: ListenerNeeds = { dependencies: [], requiredClusters: [] };
  if (category === "network filter") {
    const config = decodeNetworkFilterConfig({ ...found, name }, needs, context);
    const isTerminal = isTerminalNetworkFilter(extension);
    return config && { category, config, type: extension.name, isTerminal, needs };
  }
  const config = decodeHttpFilterConfig({ ...found, name }, needs, context);
  const isTerminal = isTerminalFilter(extension);
  return config && { category, config, type: extension.name, isTerminal, needs };
}
