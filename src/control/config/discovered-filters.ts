/**
 * HTTP filters whose configuration comes by ECDS: `ExtensionConfigSource`. Texts are Envoy's
 * (`FilterConfigProviderManagerImpl`).
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ExtensionConfigSource } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { HttpFilterConfig } from "../../shared/config/http-config.ts";
import { typeNameOf } from "../proto/type-url.ts";
import { decodeConfigSource } from "./config-sources.ts";
import { credentialInjectorTypeName } from "./credential-injectors.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { wrongTypeText } from "./extension-config.ts";
import { type ExtensionSubscription, extensionId } from "./extension-subscription.ts";
import { findExtension, isBuilt } from "./extensions.ts";
import { decodeHttpFilterConfig } from "./http-filter-configs.ts";

export interface DiscoveredFilter {
  readonly name: string;
  readonly source: ExtensionConfigSource;
  /** It ends its chain, so only a terminal filter may come. */
  readonly isLast: boolean;
}

export function decodeDiscoveredFilter(
  { name, source: message, isLast }: DiscoveredFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpFilterConfig | undefined {
  const { configSource, defaultConfig, applyDefaultConfigWithoutWarming, typeUrls } = message;
  const typeNames = typeUrls.map(typeNameOf).toSorted();
  for (const typeName of typeNames)
    if (!isBuilt("HTTP filter", typeName))
      context.refuse(`Error: no factory found for a required type URL ${typeName}.`);
  if (applyDefaultConfigWithoutWarming && !defaultConfig)
    context.refuse(
      `Error: filter config ${name} applied without warming but has no default config.`,
    );
  // The validation rules require a source.
  if (!configSource) return undefined;
  const source = decodeConfigSource(configSource, context);
  const subscription: ExtensionSubscription = {
    name,
    source,
    typeNames,
    isLast,
    isWaitedFor: !applyDefaultConfigWithoutWarming,
  };
  needs.dependencies.push({ kind: "ecds", subscription });
  const fallback = defaultConfig && decodeDefault(defaultConfig, subscription, needs, context);
  if (fallback?.kind === "discovered") return undefined;
  const mayInjectCredentials = typeNames.includes(credentialInjectorTypeName);
  return { kind: "discovered", id: extensionId(subscription), mayInjectCredentials, fallback };
}

function decodeDefault(
  any: Any,
  { name, typeNames }: ExtensionSubscription,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpFilterConfig | undefined {
  const typeName = context.open(any)?.typeName;
  if (typeName === undefined) return undefined;
  if (!typeNames.includes(typeName)) {
    context.refuse(wrongTypeText(typeName, typeNames));
    return undefined;
  }
  const found = findExtension("HTTP filter", { name, any }, context);
  return found && decodeHttpFilterConfig({ ...found, name }, needs, context);
}
