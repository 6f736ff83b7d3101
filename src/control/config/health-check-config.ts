/** How the hosts of a cluster are checked: `envoy.config.core.v3.HealthCheck`, judged and defaulted. Main's alone. */
import type { SocketLabels } from "../../shared/config/cluster-config.ts";
import type { StringMatcher } from "../../shared/config/matchers.ts";

export interface HealthCheckConfig {
  /** A check that takes longer has failed. */
  readonly timeoutMs: number;
  readonly thresholds: HealthThresholds;
  readonly intervals: HealthCheckIntervals;
  /** Keeps the connection from one check to the next. */
  readonly reuseConnection: boolean;
  /** Every failure is logged, not only those that change something. */
  readonly alwaysLogFailures: boolean;
  /** `alt_port`: checks go there in place of the host's own port. */
  readonly altPort: number | undefined;
  /** `tls_options`: offered in the place of the cluster's own; empty: its own are. */
  readonly alpnProtocols: readonly string[];
  /** `transport_socket_match_criteria`: what chooses the transport socket, in the place of the endpoint's labels. */
  readonly socketLabels: SocketLabels["endpoint"];
  readonly probe: ProbeConfig;
}

export interface HealthThresholds {
  /** Checks in a row after which a host counts as failed, or as well again; each 0 counts as never. */
  readonly unhealthy: number;
  readonly healthy: number;
}

export interface HealthCheckIntervals {
  readonly intervalMs: number;
  /** After a failed check of a host that has failed already. */
  readonly unhealthyMs: number;
  /** After a check that began a change which its threshold still holds back. */
  readonly unhealthyEdgeMs: number;
  readonly healthyEdgeMs: number;
  /** While the cluster never had a connection. */
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
  /** Each is the most that is added, by chance. */
  readonly initialJitterMs: number;
  readonly jitterMs: number;
  readonly jitterPercent: number;
}

export type ProbeConfig = HttpProbeConfig | TcpProbeConfig | GrpcProbeConfig;

export interface HttpProbeConfig {
  readonly kind: "http";
  readonly method: string;
  readonly path: string;
  /** Empty: the cluster's name. */
  readonly host: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly headersRemoved: readonly string[];
  readonly payload: Uint8Array;
  readonly expectedStatuses: readonly StatusRange[];
  /** Failures that count towards the threshold, where others fail the host at once. */
  readonly retriableStatuses: readonly StatusRange[];
  /** What `x-envoy-upstream-healthchecked-cluster` of the answer must match. */
  readonly serviceName: StringMatcher | undefined;
  readonly expectedBody: ExpectedBytes;
  /** Of the body, for `expectedBody`. */
  readonly bodyBytesMax: number;
}

export interface TcpProbeConfig {
  readonly kind: "tcp";
  readonly payload: Uint8Array;
  /** Without any a connection is enough. */
  readonly expected: ExpectedBytes;
}

export interface GrpcProbeConfig {
  readonly kind: "grpc";
  /** Empty: the server as a whole. */
  readonly serviceName: string;
  /** Empty: the cluster's name. */
  readonly authority: string;
  readonly metadata: readonly { readonly name: string; readonly value: string }[];
}

/** Must all come, in this order; what is between them does not matter. */
export type ExpectedBytes = readonly Uint8Array[];

export interface StatusRange {
  readonly start: number;
  /** The first that is not in it. */
  readonly end: number;
}
