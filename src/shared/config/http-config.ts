/** `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`. */
import type { AccessLogConfig } from "./access-log-config.ts";
import type { RouteConfig } from "./route-config.ts";
import type { ScopedRoutesConfig } from "./scoped-routes.ts";

export interface HttpConnectionManagerConfig {
  readonly statPrefix: string;
  readonly codec: "auto" | "http1" | "http2";
  readonly routes:
    | { readonly kind: "inline"; readonly config: RouteConfig }
    | { readonly kind: "rds"; readonly name: string }
    | { readonly kind: "scoped"; readonly config: ScopedRoutesConfig };
  readonly filters: readonly HttpFilterConfig[];
  readonly serverName: string;
  readonly serverHeader: "overwrite" | "appendIfAbsent" | "passThrough";
  /** Empty: no `via`. */
  readonly via: string;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly maxRequestHeadersKb: number;
  readonly maxRequestHeadersCount: number;
  /** All in milliseconds; 0: none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly drainTimeoutMs: number;
  readonly delayedCloseTimeoutMs: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly stripPort: "none" | "matching" | "any";
  readonly acceptHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly allowAbsoluteUrl: boolean;
  readonly headersWithUnderscores: "allow" | "rejectRequest" | "dropHeader";
  readonly accessLog: readonly AccessLogConfig[];
}

export type HttpFilterConfig =
  | { readonly kind: "router"; readonly suppressEnvoyHeaders: boolean }
  /** `envoy.filters.http.on_demand`: a request waits for what it needs and nobody asked for before. */
  | { readonly kind: "onDemand" }
  /** Accepted without effect, with the reason in the extension table (Istio's stats, alpn, …). */
  | { readonly kind: "noop"; readonly name: string };
