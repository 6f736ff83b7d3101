/**
 * Filters whose configuration comes by ECDS: `ExtensionConfigSource`, of HTTP filters and of network filters alike.
 * Texts are Envoy's (`FilterConfigProviderManagerImpl`).
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ExtensionConfigSource } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { typeNameOf } from "../proto/type-url.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { wrongTypeText } from "./extension-config.ts";
import {
  type ExtensionSubscription,
  extensionId,
  type FilterCategory,
} from "./extension-subscription.ts";
import { type FoundExtension, findExtension, isBuilt } from "./extensions.ts";

export interface DiscoveredFilter {
  readonly name: string;
  readonly source: ExtensionConfigSource;
  /** It ends its chain, so only a terminal filter may come. */
  readonly isLast: boolean;
}

/** What it is in its chain, whatever the chain. */
export interface DiscoveredPlace<T> {
  readonly id: string;
  /** What may come. */
  readonly typeNames: readonly string[];
  readonly fallback: T | undefined;
}

/** How the chain that it stands in reads the filters that are not discovered. */
export interface FilterDecoder<T> {
  readonly category: FilterCategory;
  decode(
    filter: FoundExtension & { readonly name: string },
    needs: ListenerNeeds,
    context: DecodeContext,
  ): T | undefined;
}

export function decodeDiscoveredFilter<T>(
  { name, source: message, isLast }: DiscoveredFilter,
  decoder: FilterDecoder<T>,
  needs: ListenerNeeds,
  context: DecodeContext,
): DiscoveredPlace<T> | undefined {
  const { configSource, defaultConfig, applyDefaultConfigWithoutWarming, typeUrls } = message;
  const typeNames = typeUrls.map(typeNameOf).toSorted();
  for (const typeName of typeNames)
    if (!isBuilt(decoder.category, typeName))
      context.refuse(`Error: no factory found for a required type URL ${typeName}.`);
  if (applyDefaultConfigWithoutWarming && !defaultConfig)
    context.refuse(
      `Error: filter config ${name} applied without warming but has no default config.`,
    );
  // The validation rules require a source.
  if (!configSource) return undefined;
  const subscription: ExtensionSubscription = {
    category: decoder.category,
    name,
    source: decodeConfigSource(configSource, context),
    typeNames,
    isLast,
    isWaitedFor: !applyDefaultConfigWithoutWarming,
  };
  needs.dependencies.push({ kind: "ecds", subscription });
  const found = defaultConfig && findDefault(defaultConfig, subscription, context);
  const fallback = found && decoder.decode({ ...found, name }, needs, context);
  return { id: extensionId(subscription), typeNames, fallback };
}

function findDefault(
  any: Any,
  { category, name, typeNames }: ExtensionSubscription,
  context: DecodeContext,
): FoundExtension | undefined {
  const typeName = context.open(any)?.typeName;
  if (typeName === undefined) return undefined;
  if (typeNames.includes(typeName)) return findExtension(category, { name, any }, context);
  context.refuse(wrongTypeText(typeName, typeNames));
  return undefined;
}
