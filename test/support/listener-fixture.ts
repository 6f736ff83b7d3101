/** Listener configurations for tests, with defaults for all that a test does not care about. */
import { serverHttp1 } from "./http1-options.ts";
import { http2Options } from "./http2-options.ts";
import type {
  FilterChainConfig,
  FilterChainMatch,
  ListenerConfig,
} from "../../src/shared/config/listener-config.ts";
import type { HttpConnectionManagerConfig } from "../../src/shared/config/http-config.ts";
import { noHeaderMutations, type RouteConfig } from "../../src/shared/config/route-config.ts";
import type { TcpProxyConfig } from "../../src/shared/config/tcp-proxy-config.ts";

export const matchAnything: FilterChainMatch = {
  destinationPort: undefined,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  directSourcePrefixRanges: [],
  sourceType: "any",
  sourcePrefixRanges: [],
  sourcePorts: [],
};

export const noClientCert: HttpConnectionManagerConfig["clientCert"] = {
  forward: "sanitize",
  details: { subject: false, cert: false, chain: false, dns: false, uri: false },
};

export function tcpProxyConfig(overrides: Partial<TcpProxyConfig> = {}): TcpProxyConfig {
  return {
    statPrefix: "t",
    clusters: [{ name: "c", weight: 1 }],
    idleTimeoutMs: 0,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: 0,
    checkDrainClose: false,
    onDemand: undefined,
    accessLog: [],
    ...overrides,
  };
}

export function filterChain(overrides: Partial<FilterChainConfig> = {}): FilterChainConfig {
  return {
    id: "chain",
    revision: "",
    name: "chain",
    match: matchAnything,
    filters: [{ kind: "tcpProxy", config: tcpProxyConfig() }],
    transportSocket: { kind: "rawBuffer" },
    transportSocketConnectTimeoutMs: 0,
    ...overrides,
  };
}

export function tcpChain(id: string, overrides: Partial<TcpProxyConfig> = {}): FilterChainConfig {
  return filterChain({
    id,
    name: id,
    filters: [{ kind: "tcpProxy", config: tcpProxyConfig(overrides) }],
  });
}

export function listenerConfig(overrides: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    name: "l",
    addresses: [{ kind: "ip", ip: "127.0.0.1", port: 0 }],
    statPrefix: "",
    filterChains: [filterChain()],
    defaultFilterChain: undefined,
    chainMatcher: undefined,
    listenerFilters: [],
    handsOffRestored: false,
    listenerFiltersTimeoutMs: 0,
    continueOnListenerFiltersTimeout: false,
    perConnectionBufferLimitBytes: 1024 * 1024,
    drainType: "default",
    drainPolicy: {},
    trafficDirection: "unspecified",
    bindToPort: true,
    enableReusePort: false,
    tcpBacklogSize: 1024,
    acceptsPerEventMax: 0,
    ignoreGlobalConnLimit: false,
    bypassOverloadManager: false,
    carriesTraffic: true,
    accessLog: [],
    addressOptions: [{ socketOptions: [], keepAlive: undefined, ipv4Compat: false }],
    freebind: false,
    transparent: false,
    ...overrides,
  };
}

/** Everything to cluster `c`, under the stat prefix `h`. */
export function httpChain(
  id: string,
  overrides: Partial<HttpConnectionManagerConfig> = {},
): FilterChainConfig {
  const config = httpConnectionManagerConfig(overrides);
  return filterChain({ id, name: id, filters: [{ kind: "httpConnectionManager", config }] });
}

export function httpConnectionManagerConfig(
  overrides: Partial<HttpConnectionManagerConfig> = {},
): HttpConnectionManagerConfig {
  return {
    statPrefix: "h",
    codec: "auto",
    routes: { kind: "inline", config: routeToCluster("c") },
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

export function routeToCluster(cluster: string, name = "r"): RouteConfig {
  return {
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          {
            name: "",
            match: {
              path: { kind: "prefix", value: "/" },
              caseSensitive: true,
              headers: [],
              queryParameters: [],
              runtimeFraction: undefined,
            },
            action: {
              kind: "cluster",
              clusters: [{ name: cluster, weight: 1 }],
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
            },
            requestHeaders: noHeaderMutations,
            responseHeaders: noHeaderMutations,
          },
        ],
        requestHeaders: noHeaderMutations,
        responseHeaders: noHeaderMutations,
        requireTls: "none",
      },
    ],
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    ignorePortInHostMatching: false,
  };
}
