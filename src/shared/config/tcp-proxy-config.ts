import type { AccessLogConfig } from "./access-log-config.ts";
import type { OnDemandClusters, WeightedCluster } from "./route-config.ts";

/** `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`. */
export interface TcpProxyConfig {
  readonly statPrefix: string;
  /** One entry for `cluster`, several for `weighted_clusters`. */
  readonly clusters: readonly WeightedCluster[];
  /** 0: none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectAttempts: number;
  /** 0: none. */
  readonly maxDownstreamConnectionDurationMs: number;
  /** Told to drain, a connection closes with the next bytes that pass, in either direction. */
  readonly checkDrainClose: boolean;
  /** A connection waits for a cluster that is not there; undefined: it is closed. */
  readonly onDemand: OnDemandClusters | undefined;
  readonly accessLog: readonly AccessLogConfig[];
}
