/** What main knows of a virtual host that came by VHDS beside the part that workers get. */
import type { VirtualHost } from "../../shared/config/route-config.ts";

export interface DecodedVirtualHost {
  readonly host: VirtualHost;
  /** Clusters that its routes name, each once. */
  readonly clusterNames: readonly string[];
}
