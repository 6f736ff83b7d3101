/** Filter configurations by ECDS: what is asked for, and what comes (`envoy.config.core.v3.TypedExtensionConfig`). */
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { ListenerDependency } from "./decoded-listener.ts";
import type { ExtensionSubscription } from "./extension-subscription.ts";

export interface DecodedExtensionConfig {
  readonly name: string;
  /** Of the configuration inside. */
  readonly typeName: string;
  /** Undefined: no filter of the type is built, so nobody asked for it. */
  readonly filter: DecodedHttpFilter | undefined;
  /** The whole message as it came, for /config_dump. */
  readonly bytes: Uint8Array;
}

export interface DecodedHttpFilter {
  readonly config: PlainHttpFilterConfig;
  /** Envoy's canonical name. */
  readonly type: string;
  readonly isTerminal: boolean;
  /** What must be there before it may take the place of the one before it. */
  readonly dependencies: readonly ListenerDependency[];
}

export function wrongTypeText(typeName: string, typeNames: readonly string[]): string {
  return `Error: filter config has type URL ${typeName} but expect ${typeNames.join(", ")}.`;
}

/** What is wrong with a configuration in the place that a subscription has for it; undefined: nothing. */
export function refusalOf(
  { typeName, filter }: DecodedExtensionConfig,
  { name, typeNames, isLast }: ExtensionSubscription,
): string | undefined {
  if (!filter || !typeNames.includes(typeName)) return wrongTypeText(typeName, typeNames);
  const { type, isTerminal } = filter;
  if (isTerminal && !isLast)
    return `Error: terminal filter named ${name} of type ${type} must be the last filter in a http filter chain.`;
  if (!isTerminal && isLast)
    return `Error: non-terminal filter named ${name} of type ${type} is the last filter in a http filter chain.`;
  return undefined;
}
