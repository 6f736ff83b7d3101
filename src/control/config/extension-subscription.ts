/** What is asked for by ECDS, and from where. */
import type { ConfigSource } from "./config-source.ts";

/** Filters that may be discovered, by the chain that they stand in. */
export type FilterCategory = "HTTP filter" | "network filter";

/** One filter of one chain that waits for its configuration. */
export interface ExtensionSubscription {
  readonly category: FilterCategory;
  readonly name: string;
  readonly source: ConfigSource;
  /** `type_urls`, without their host; sorted. */
  readonly typeNames: readonly string[];
  readonly isLast: boolean;
  /** False: the default serves until something comes. */
  readonly isWaitedFor: boolean;
}

/** Where workers find the configuration: all who ask one source for one name share it. */
export function extensionId({
  category,
  name,
  source,
}: Pick<ExtensionSubscription, "category" | "name" | "source">): string {
  return `${category} ${name} ${JSON.stringify(source)}`;
}
