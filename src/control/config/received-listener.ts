/**
 * A listener as main keeps it: its bytes, and values that are made of them again when somebody asks. Ten
 * thousand decoded listeners are 200 MB, and once workers know one main hardly ever looks into it.
 */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DecodedListener, ListenerDependency } from "./decoded-listener.ts";

/** How bytes that were judged before become values again; throws if they cannot. */
export interface ListenerReader {
  config(bytes: Uint8Array): ListenerConfig;
  hash(bytes: Uint8Array): string;
}

/** Made with the config that was just decoded, and holds it until `forgetConfig`. */
export class ReceivedListener implements DecodedListener {
  readonly bytes: Uint8Array;
  readonly dependencies: readonly ListenerDependency[];
  readonly requiredClusters: readonly string[];
  readonly #reader: ListenerReader;
  #config: ListenerConfig | WeakRef<ListenerConfig>;
  #hash: string | undefined = undefined;

  constructor(
    decoded: Pick<DecodedListener, "config" | "bytes" | "dependencies" | "requiredClusters">,
    reader: ListenerReader,
  ) {
    this.bytes = decoded.bytes;
    this.dependencies = decoded.dependencies;
    this.requiredClusters = decoded.requiredClusters;
    this.#config = decoded.config;
    this.#reader = reader;
  }

  /** Equal in content at every call; decoded again if it was forgotten. */
  get config(): ListenerConfig {
    if (!(this.#config instanceof WeakRef)) return this.#config;
    const remembered = this.#config.deref();
    if (remembered) return remembered;
    const config = this.#reader.config(this.bytes);
    this.#config = new WeakRef(config);
    return config;
  }

  /** Only an update is compared by it, so few are ever computed. */
  get hash(): string {
    return (this.#hash ??= this.#reader.hash(this.bytes));
  }

  /** From now on the config is the collector's to take. */
  forgetConfig(): void {
    if (!(this.#config instanceof WeakRef)) this.#config = new WeakRef(this.#config);
  }
}
