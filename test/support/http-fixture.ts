/** HTTP configurations for tests, with defaults for all that a test does not care about. */
import type { HttpConnectionManagerConfig } from "../../src/shared/config/http-config.ts";
import type { FilterChainConfig } from "../../src/shared/config/listener-config.ts";
import {
  type ClusterAction,
  noHeaderMutations,
  type Route,
  type RouteConfig,
  type VirtualHost,
} from "../../src/shared/config/route-config.ts";
import { serverHttp1 } from "./http1-options.ts";
import { http2Options } from "./http2-options.ts";
import { filterChain, noClientCert } from "./listener-fixture.ts";

export function clusterAction(overrides: Partial<ClusterAction> = {}): ClusterAction {
  return {
    kind: "cluster",
    clusters: [{ name: "c", weight: 1 }],
    clusterNotFoundStatus: 503,
    timeoutMs: 15_000,
    idleTimeoutMs: undefined,
    prefixRewrite: undefined,
    regexRewrite: undefined,
    hostRewrite: undefined,
    appendXForwardedHost: false,
    retryPolicy: undefined,
    upgrades: [],
    priority: "default",
    ...overrides,
  };
}

/** A route of a path prefix. */
export function route(prefix: string, overrides: Partial<Route> = {}): Route {
  return {
    name: "",
    match: {
      path: { kind: "prefix", value: prefix },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      runtimeFraction: undefined,
    },
    action: clusterAction(),
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    ...overrides,
  };
}

export function virtualHost(
  domains: readonly string[],
  routes: readonly Route[],
  overrides: Partial<VirtualHost> = {},
): VirtualHost {
  return {
    name: domains[0] ?? "",
    domains,
    routes,
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    requireTls: "none",
    ...overrides,
  };
}

export function routeConfig(overrides: Partial<RouteConfig> = {}): RouteConfig {
  return {
    name: "r",
    virtualHosts: [virtualHost(["*"], [route("/")])],
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    ignorePortInHostMatching: false,
    ...overrides,
  };
}

export function httpConfig(
  overrides: Partial<HttpConnectionManagerConfig> = {},
): HttpConnectionManagerConfig {
  return {
    statPrefix: "h",
    codec: "auto",
    routes: { kind: "inline", config: routeConfig() },
    filters: [{ kind: "router", suppressEnvoyHeaders: false }],
    serverName: "envoy",
    serverHeader: "overwrite",
    via: "",
    useRemoteAddress: false,
    xffNumTrustedHops: 0,
    skipXffAppend: false,
    clientCert: noClientCert,
    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: false,
    maxRequestHeadersKb: 60,
    maxRequestHeadersCount: 100,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    connectionDurationJitterPercent: 0,
    streamIdleTimeoutMs: 300_000,
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    maxStreamDurationMs: 0,
    drainTimeoutMs: 5_000,
    http1SafeMaxConnectionDuration: false,
    delayedCloseTimeoutMs: 1_000,
    maxRequestsPerConnection: 0,
    normalizePath: false,
    mergeSlashes: false,
    stripPort: "none",
    http1: serverHttp1(),
    http2: http2Options(),
    upgrades: [],
    headersWithUnderscores: "allow",
    accessLog: [],
    ...overrides,
  };
}

/** An HTTP connection manager with one virtual host for all names. */
export function httpChain(
  routes: readonly Route[],
  overrides: Partial<HttpConnectionManagerConfig> = {},
): FilterChainConfig {
  const config = routeConfig({ virtualHosts: [virtualHost(["*"], routes)] });
  return filterChain({
    id: "http",
    name: "http",
    filters: [
      {
        kind: "httpConnectionManager",
        config: httpConfig({ routes: { kind: "inline", config }, ...overrides }),
      },
    ],
  });
}
