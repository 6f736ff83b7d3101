import type { AccessLogConfig } from "./access-log-config.ts";
import type { WeightedCluster } from "./route-config.ts";

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
  readonly accessLog: readonly AccessLogConfig[];
}
