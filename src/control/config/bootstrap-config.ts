/** The bootstrap after it was judged: `envoy.config.bootstrap.v3.Bootstrap`, resolved and defaulted. */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { AccessLogConfig } from "../../shared/config/access-log-config.ts";
import type { StringMatcher } from "../../shared/config/matchers.ts";
import type { Authorities } from "./authorities.ts";
import type { CollectionSource, GrpcApiSource } from "./config-source.ts";
import type { DecodedCluster } from "./decoded-cluster.ts";
import type { DecodedSecret } from "./secret-config.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import type { OverloadConfig } from "./overload-manager.ts";
import type { RuntimeLayer } from "./runtime-layer.ts";
import type { WatchdogConfigs } from "./watchdogs.ts";

export interface BootstrapConfig {
  readonly node: NodeConfig;
  /** Undefined: no admin interface. */
  readonly admin: AdminConfig | undefined;
  /** In the order of the bootstrap; names are unique among each. */
  readonly staticListeners: readonly DecodedListener[];
  readonly staticClusters: readonly DecodedCluster[];
  /** Names are unique among each kind. */
  readonly staticSecrets: readonly DecodedSecret[];
  readonly dynamicResources: DynamicResources;
  readonly authorities: Authorities;
  /** `cluster_manager.load_stats_config`: who is told of the clusters' load; undefined: nobody. */
  readonly loadStats: GrpcApiSource | undefined;
  /** `cluster_manager.local_cluster_name`; empty: none. */
  readonly localClusterName: string;
  /** In order, later ones over earlier ones; never empty. */
  readonly runtimeLayers: readonly RuntimeLayer[];
  readonly statsFlushIntervalMs: number;
  readonly watchdogs: WatchdogConfigs;
  /** Undefined: nothing is watched. */
  readonly overload: OverloadConfig | undefined;
  /** `enable_dispatcher_stats`. */
  readonly dispatcherStats: boolean;
  /** `header_prefix`; default `x-envoy`. */
  readonly headerPrefix: string;
  /** The whole message, `--config-yaml` merged in, node completed from the flags: for /config_dump. */
  readonly bytes: Uint8Array;
}

/** Who this proxy says it is. `bytes` is the whole `core.v3.Node`, ready to be sent. */
export interface NodeConfig {
  readonly id: string;
  readonly cluster: string;
  readonly zone: string;
  readonly bytes: Uint8Array;
}

export interface AdminConfig {
  /** Undefined: configured without an address, so nothing listens. */
  readonly address: SocketAddress | undefined;
  readonly accessLog: readonly AccessLogConfig[];
  /** Paths that are served; empty: all (Envoy: `allow_paths`). */
  readonly allowPaths: readonly StringMatcher[];
  /** `profile_path`; kept to be shown, nothing is profiled. */
  readonly profilePath: string;
  readonly ignoreGlobalConnLimit: boolean;
}

export interface DynamicResources {
  readonly ads: GrpcApiSource | undefined;
  readonly lds: CollectionSource | undefined;
  readonly cds: CollectionSource | undefined;
  /** `node_context_params` with their values: part of the name of each collection that is asked for. */
  readonly nodeParams: ReadonlyMap<string, string>;
}
