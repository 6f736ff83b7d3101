/** A cluster as workers want it: `envoy.config.cluster.v3.Cluster`, resolved and defaulted. */
import type { SocketAddress } from "../common/address.ts";
import type { ClientHttp1Options } from "./http1-options.ts";
import type { Http2Options } from "./http-config.ts";
import type { RetryPolicy } from "./route-config.ts";

export interface ClusterConfig {
  readonly name: string;
  /** `alt_stat_name` or the name, `:` replaced by `_`. */
  readonly statName: string;
  readonly discovery: ClusterDiscovery;
  /** Of those whose hosts are known before somebody asks. */
  readonly lbPolicy: "roundRobin" | "leastRequest" | "random";
  /** `least_request_lb_config.choice_count`. */
  readonly choiceCount: number;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitBytes: number;
  /** `upstream_bind_config`: where its connections come from; undefined: the system chooses. */
  readonly sourceAddress?: SocketAddress;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** In the place of the route's. */
  readonly retryPolicy: RetryPolicy | undefined;
  /** Of the head of a response, bytes and fields at most. */
  readonly maxResponseHeadersKb: number;
  readonly maxResponseHeadersCount: number;
  /** 0: none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** Of each try of a request, from when it has a connection; 0: for ever. */
  readonly maxStreamDurationMs: number;
  /** `preconnect_policy.per_upstream_preconnect_ratio`: connections to a host for each request; 1: none ahead. */
  readonly preconnectRatio: number;
  /** `preconnect_policy.predictive_preconnect_ratio`: the same over all hosts, at those whose turn comes next. */
  readonly predictivePreconnectRatio: number;
  readonly circuitBreakers: {
    readonly default: CircuitBreakerLimits;
    readonly high: CircuitBreakerLimits;
  };
  /** Percent of healthy hosts below which all are used; 0 switches panic off. */
  readonly healthyPanicThreshold: number;
  /** In panic nobody is asked, in place of everybody. */
  readonly failTrafficOnPanic: boolean;
  /** TCP connections to a host end when a health check fails it. */
  readonly closeConnectionsOnHealthFailure: boolean;
  /** Of HTTP: `downstream`: each request's own; `alpn`: what the host chooses in its handshake. */
  readonly protocol: "http1" | "http2" | "downstream" | "alpn";
  readonly http1: ClientHttp1Options;
  readonly http2: Http2Options;
  /** Of hosts that have none of their own. */
  readonly transportSocket: UpstreamSocketConfig;
}

export type UpstreamSocketConfig =
  | { readonly kind: "rawBuffer" }
  | {
      readonly kind: "tls";
      /** Under which workers have the context; none there yet: connections fail. */
      readonly contextId: string;
      /** The host's name is sent to it, where it has one. */
      readonly autoHostSni: boolean;
      readonly alpnProtocols: readonly string[];
    };

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
  | { readonly kind: "eds"; readonly serviceName: string }
  /** Workers make the hosts, by what connections and requests ask for. */
  | {
      readonly kind: "originalDst";
      readonly cleanupIntervalMs: number;
      /** In lower case; where requests may name the host. Undefined: nowhere. */
      readonly headerName: string | undefined;
      readonly portOverride: number | undefined;
    };

/** `envoy.config.endpoint.v3.ClusterLoadAssignment` before names are resolved. */
export interface LoadAssignment {
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpoints[];
}

export interface LocalityEndpoints extends Locality {
  readonly priority: number;
  readonly weight: number | undefined;
  readonly endpoints: readonly Endpoint[];
}

/** `core.v3.Locality`. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface Endpoint {
  /** For STRICT_DNS `ip` may hold a host name. */
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly health: EndpointHealth;
  /** How it differs from others to its health checks; undefined: it does not. */
  readonly check?: EndpointCheck;
  /** `envoy.transport_socket_match` of its metadata, its own and its locality's. */
  readonly socketLabels?: SocketLabels;
}

/** What `transport_socket_matches` are held against. */
export interface SocketLabels {
  readonly endpoint: Readonly<Record<string, unknown>> | undefined;
  readonly locality: Readonly<Record<string, unknown>> | undefined;
}

/** `core.v3.HealthStatus`; one that is not known counts as healthy. */
export type EndpointHealth = "healthy" | "degraded" | "unhealthy" | "draining" | "timeout";

/** `Endpoint.HealthCheckConfig`. */
export interface EndpointCheck {
  /** Where the checks go; undefined: to the host itself. */
  readonly address: SocketAddress | undefined;
  /** 0: the host's own. */
  readonly port: number;
  /** For `host` and `:authority`; empty: the health check's own. */
  readonly hostname: string;
  readonly isDisabled: boolean;
}

/** What there is to say against a host, in Envoy's words and in the order in which `/clusters` shows it. */
export const healthFlags = [
  "failed_active_hc",
  "failed_eds_health",
  "degraded_active_hc",
  "degraded_eds_health",
  "pending_dynamic_removal",
  "pending_active_hc",
  "excluded_via_immediate_hc_fail",
  "active_hc_timeout",
  "eds_status_draining",
] as const;
export type HealthFlag = (typeof healthFlags)[number];

/** Hosts of these do not count for the health of their priority, as if they were not there. */
const excluding: readonly HealthFlag[] = [
  "pending_active_hc",
  "excluded_via_immediate_hc_fail",
  "eds_status_draining",
];

export function isExcluded({ flags }: Pick<HostConfig, "flags">): boolean {
  return flags.some((flag) => excluding.includes(flag));
}

/** One host of a cluster, on workers. */
export interface HostConfig {
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  /** What its flags come to (Envoy: `coarseHealth`). */
  readonly health: "healthy" | "degraded" | "unhealthy";
  readonly flags: readonly HealthFlag[];
  /** Undefined: the cluster's. */
  readonly transportSocket?: UpstreamSocketConfig;
  /** Of its endpoint; main's alone. */
  readonly check?: EndpointCheck;
  readonly socketLabels?: SocketLabels;
  /** Where it is; main's alone, undefined where nobody said. */
  readonly locality?: Locality;
}
