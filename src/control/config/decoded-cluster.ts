/** What main knows of a cluster beside the part that workers get. */
import type { ClusterConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { ConfigSource } from "./config-source.ts";
import type { HealthCheckConfig } from "./health-check-config.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";

/** How a cluster's hosts are checked, and what of it holds for the cluster as a whole. */
export interface ClusterHealthConfig {
  readonly check: HealthCheckConfig;
  /** A host that its source no longer names goes at once, however healthy it is. */
  readonly ignoreHealthOnHostRemoval: boolean;
  /** A new host counts for nothing before its first check. */
  readonly ignoreNewHostsUntilFirstCheck: boolean;
}

export interface SocketMatch {
  readonly name: string;
  /** Empty: every host has them. */
  readonly labels: Readonly<Record<string, unknown>>;
  /** Undefined: plain text. */
  readonly tls: UpstreamTlsConfig | undefined;
}

export interface DecodedCluster {
  readonly config: ClusterConfig;
  /** Of STATIC and STRICT_DNS; undefined for EDS. */
  readonly loadAssignment: LoadAssignment | undefined;
  /** Where the endpoints of an EDS cluster come from. */
  readonly edsSource: ConfigSource | undefined;
  /** Undefined: hosts are not checked. */
  readonly health: ClusterHealthConfig | undefined;
  /** Of hosts that none of `socketMatches` is for; undefined: plain text. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** `transport_socket_matches`: the first whose labels a host has decides. */
  readonly socketMatches: readonly SocketMatch[];
  /** `wait_for_warm_on_init`: false lets the server start before this cluster is warm. */
  readonly waitForWarmOnInit: boolean;
  /** The whole message as it came, for /config_dump and for comparing versions. */
  readonly bytes: Uint8Array;
  /** Hash of the message with its maps sorted: equal hashes mean equal clusters. */
  readonly hash: string;
}
