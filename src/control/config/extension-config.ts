/** Filter configurations by ECDS: what is asked for, and what comes (`envoy.config.core.v3.TypedExtensionConfig`). */
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { PlainNetworkFilterConfig } from "../../shared/config/listener-config.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { ExtensionSubscription, FilterCategory } from "./extension-subscription.ts";

export interface DecodedExtensionConfig {
  readonly name: string;
  /** Of the configuration inside. */
  readonly typeName: string;
  /** One for each category that has a filter of the type; none is built: nobody asked for it. */
  readonly filters: readonly DecodedFilter[];
  /** The whole message as it came, for /config_dump. */
  readonly bytes: Uint8Array;
}

export type DecodedFilter =
  | (FilterFacts & {
      readonly category: "HTTP filter";
      readonly config: PlainHttpFilterConfig;
    })
  | (FilterFacts & {
      readonly category: "network filter";
      readonly config: PlainNetworkFilterConfig;
    });

interface FilterFacts {
  /** Envoy's canonical name. */
  readonly type: string;
  readonly isTerminal: boolean;
  /** What must be there before it may take the place of the one before it, and what must be known when it comes. */
  readonly needs: Readonly<ListenerNeeds>;
}

/** What it is to whoever asked for a filter of the category. */
export function filterOf(
  { filters }: DecodedExtensionConfig,
  category: FilterCategory,
): DecodedFilter | undefined {
  return filters.find((filter) => filter.category === category);
}

export function wrongTypeText(typeName: string, typeNames: readonly string[]): string {
  return `Error: filter config has type URL ${typeName} but expect ${typeNames.join(", ")}.`;
}

const chainNames = { "HTTP filter": "http", "network filter": "network" } as const;

/** What is wrong with a configuration in the place that a subscription has for it; undefined: nothing. */
export function refusalOf(
  config: DecodedExtensionConfig,
  { category, name, typeNames, isLast }: ExtensionSubscription,
): string | undefined {
  const { typeName } = config;
  const filter = filterOf(config, category);
  if (!filter || !typeNames.includes(typeName)) return wrongTypeText(typeName, typeNames);
  const { type, isTerminal } = filter;
  const chain = chainNames[category];
  if (isTerminal && !isLast)
    return `Error: terminal filter named ${name} of type ${type} must be the last filter in a ${chain} filter chain.`;
  if (!isTerminal && isLast)
    return `Error: non-terminal filter named ${name} of type ${type} is the last filter in a ${chain} filter chain.`;
  return undefined;
}
