/**
 * A listener as main keeps it: its bytes, the few facts that it is asked for, and values that are made of the
 * bytes again when somebody wants them. Ten thousand decoded listeners are 200 MB, and main hardly ever looks
 * into one: workers ask for a configuration when the first connection comes.
 */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DecodedListener, ListenerDependency } from "./decoded-listener.ts";
import { type ListenerFacts, listenerFactsOf } from "./listener-facts.ts";

/**
 * So many of the configurations that were decoded last are held: more than workers are sent at once. Those of
 * a larger push die young, and cost the collector next to nothing.
 */
const recentMax = 128;

/** How bytes that were judged before become values again; throws if they cannot. */
export interface ListenerReader {
  config(bytes: Uint8Array): ListenerConfig;
  hash(bytes: Uint8Array): string;
  /** Whose configurations are held. */
  readonly recent: RecentListeners;
}

/** Of the listeners that share a reader, those that hold their configuration, oldest first. */
export class RecentListeners {
  readonly #recent = new Set<ReceivedListener>();

  add(listener: ReceivedListener): void {
    this.#recent.add(listener);
    if (this.#recent.size <= recentMax) return;
    const [oldest] = this.#recent;
    oldest?.forgetConfig();
  }

  delete(listener: ReceivedListener): void {
    this.#recent.delete(listener);
  }
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
