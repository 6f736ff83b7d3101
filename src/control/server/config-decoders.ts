/** Everything that reads protos, made once: the descriptors are 28 MB and several processor milliseconds. */
import type { LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { RenderMessage } from "../admin/config-dump.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { DecodedListener } from "../config/decoded-listener.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { ListenerComparison } from "../listener/listener-update.ts";
import type { ResourceType } from "../xds/resource-batch.ts";
import type { ConfigWarnings } from "./config-warnings.ts";

export interface ConfigDecoders {
  readonly listeners: ResourceType<DecodedListener>;
  readonly clusters: ResourceType<DecodedCluster>;
  readonly routes: ResourceType<DecodedRouteConfig>;
  readonly endpoints: ResourceType<LoadAssignment>;
  readonly comparison: ListenerComparison;
  readonly render: RenderMessage;
  readonly warnings: ConfigWarnings;
}

/** A bootstrap that can be served, with what it was read by. */
export interface LoadedBootstrap {
  readonly bootstrap: BootstrapConfig;
  readonly decoders: ConfigDecoders;
}
