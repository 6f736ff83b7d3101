/** A cluster as workers want it: `envoy.config.cluster.v3.Cluster`, resolved and defaulted. */
import type { SocketAddress } from "../common/address.ts";

export interface ClusterConfig {
  readonly name: string;
  /** `alt_stat_name` or the name, `:` replaced by `_`. */
  readonly statName: string;
  readonly discovery: ClusterDiscovery;
  readonly lbPolicy: "roundRobin" | "leastRequest" | "random";
  /** `least_request_lb_config.choice_count`. */
  readonly choiceCount: number;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitBytes: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** 0: none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly circuitBreakers: {
    readonly default: CircuitBreakerLimits;
    readonly high: CircuitBreakerLimits;
  };
  /** Percent of healthy hosts below which all are used; 0 switches panic off. */
  readonly healthyPanicThreshold: number;
  readonly protocol: "http1" | "http2";
}

export interface CircuitBreakerLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Shows how much of each is left (`circuit_breakers.<priority>.remaining_…`). */
  readonly trackRemaining?: boolean;
}

/** What main does to find the hosts; workers only get the result. */
export type ClusterDiscovery =
  | { readonly kind: "static" }
  | {
      readonly kind: "strictDns";
      readonly refreshRateMs: number;
      readonly respectTtl: boolean;
      readonly lookupFamily: "auto" | "v4Only" | "v6Only" | "v4Preferred" | "all";
    }
  | { readonly kind: "eds"; readonly serviceName: string };

/** `envoy.config.endpoint.v3.ClusterLoadAssignment` before names are resolved. */
export interface LoadAssignment {
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpoints[];
}

export interface LocalityEndpoints {
  readonly priority: number;
  readonly weight: number | undefined;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  /** For STRICT_DNS `ip` may hold a host name. */
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly health: "healthy" | "degraded" | "unhealthy";
}

/** One host of a cluster, on workers. */
export interface HostConfig {
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly health: "healthy" | "degraded" | "unhealthy";
}
