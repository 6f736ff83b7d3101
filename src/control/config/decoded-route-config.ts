/** What main knows of a route configuration beside the part that workers get. */
import type { ConfigSource } from "./config-source.ts";
import type { RouteConfig } from "../../shared/config/route-config.ts";

export interface DecodedRouteConfig {
  readonly config: RouteConfig;
  /** Clusters that its routes name, each once; those chosen by a header cannot be known. */
  readonly clusterNames: readonly string[];
  /** Refuse the resource when one of them is unknown: `validate_clusters`, by default false over RDS. */
  readonly validateClusters: boolean;
  /** Where more virtual hosts come from; undefined: there are no more. */
  readonly vhds?: ConfigSource | undefined;
  /** The whole message as it came, for /config_dump. */
  readonly bytes: Uint8Array;
}
