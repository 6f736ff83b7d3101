/** A route configuration as main keeps it: workers ask for it with the first listener that needs it. */
import type { RouteConfig } from "../../shared/config/route-config.ts";
import type { ConfigSource } from "./config-source.ts";
import type { DecodedRouteConfig } from "./decoded-route-config.ts";
import type { RecentConfigs } from "./recent-configs.ts";

/** How bytes that were judged before become values again; throws if they cannot. */
export interface RouteConfigReader {
  config(bytes: Uint8Array): RouteConfig;
  readonly recent: RecentConfigs;
}

/** Made with the config that was just decoded, and holds it until others are more recent. */
export class ReceivedRouteConfig implements DecodedRouteConfig {
  readonly bytes: Uint8Array;
  readonly clusterNames: readonly string[];
  readonly validateClusters: boolean;
  readonly vhds: ConfigSource | undefined;
  readonly #reader: RouteConfigReader;
  #config: RouteConfig | undefined;

  constructor(decoded: DecodedRouteConfig, reader: RouteConfigReader) {
    this.bytes = decoded.bytes;
    this.clusterNames = decoded.clusterNames;
    this.validateClusters = decoded.validateClusters;
    this.vhds = decoded.vhds;
    this.#reader = reader;
    this.#config = decoded.config;
    reader.recent.add(this);
  }

  /** Equal in content at every call; decoded again if it was forgotten. */
  get config(): RouteConfig {
    if (this.#config) return this.#config;
    this.#config = this.#reader.config(this.bytes);
    this.#reader.recent.add(this);
    return this.#config;
  }

  forgetConfig(): void {
    this.#config = undefined;
    this.#reader.recent.delete(this);
  }
}
