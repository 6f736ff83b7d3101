/**
 * A listener as main keeps it: its bytes and the few facts that it is asked for. Workers ask for the whole
 * configuration when the first connection comes.
 */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DecodedListener, ListenerDependency } from "./decoded-listener.ts";
import { type ListenerFacts, listenerFactsOf } from "./listener-facts.ts";
import type { RecentConfigs } from "./recent-configs.ts";

/** How bytes that were judged before become values again; throws if they cannot. */
export interface ListenerReader {
  config(bytes: Uint8Array): ListenerConfig;
  hash(bytes: Uint8Array): string;
  readonly recent: RecentConfigs;
}

/** Made with the config that was just decoded, and holds it until `forgetConfig`, or others are more recent. */
export class ReceivedListener implements DecodedListener {
  readonly facts: ListenerFacts;
  readonly bytes: Uint8Array;
  readonly dependencies: readonly ListenerDependency[];
  readonly requiredClusters: readonly string[];
  readonly #reader: ListenerReader;
  #config: ListenerConfig | undefined;
  #hash: string | undefined = undefined;

  constructor(
    decoded: Pick<DecodedListener, "config" | "bytes" | "dependencies" | "requiredClusters">,
    reader: ListenerReader,
  ) {
    this.facts = listenerFactsOf(decoded.config);
    this.bytes = decoded.bytes;
    this.dependencies = decoded.dependencies;
    this.requiredClusters = decoded.requiredClusters;
    this.#reader = reader;
    this.#config = decoded.config;
    reader.recent.add(this);
  }

  /** Equal in content at every call; decoded again if it was forgotten. */
  get config(): ListenerConfig {
    if (this.#config) return this.#config;
    this.#config = this.#reader.config(this.bytes);
    this.#reader.recent.add(this);
    return this.#config;
  }

  /** Only an update is compared by it, so few are ever computed. */
  get hash(): string {
    return (this.#hash ??= this.#reader.hash(this.bytes));
  }

  forgetConfig(): void {
    this.#config = undefined;
    this.#reader.recent.delete(this);
  }
}
