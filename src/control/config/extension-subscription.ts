/** What is asked for by ECDS, and from where. */
import type { ConfigSource } from "./config-source.ts";

/** One filter of one chain that waits for its configuration. */
export interface ExtensionSubscription {
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
  name,
  source,
}: Pick<ExtensionSubscription, "name" | "source">): string {
  return `${name} ${JSON.stringify(source)}`;
}
