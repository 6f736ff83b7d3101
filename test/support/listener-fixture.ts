/** Listener configurations for tests, with defaults for all that a test does not care about. */
import type {
  FilterChainConfig,
  FilterChainMatch,
  ListenerConfig,
} from "../../src/shared/config/listener-config.ts";
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

export function tcpProxyConfig(overrides: Partial<TcpProxyConfig> = {}): TcpProxyConfig {
  return {
    statPrefix: "t",
    clusters: [{ name: "c", weight: 1 }],
    idleTimeoutMs: 0,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: 0,
    accessLog: [],
    ...overrides,
  };
}

export function filterChain(overrides: Partial<FilterChainConfig> = {}): FilterChainConfig {
  return {
    id: "chain",
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
    listenerFilters: [],
    listenerFiltersTimeoutMs: 0,
    continueOnListenerFiltersTimeout: false,
    perConnectionBufferLimitBytes: 1024 * 1024,
    drainType: "default",
    drainPolicy: {},
    trafficDirection: "unspecified",
    bindToPort: true,
    useOriginalDst: false,
    enableReusePort: false,
    tcpBacklogSize: 1024,
    acceptsPerEventMax: 0,
    ignoreGlobalConnLimit: false,
    accessLog: [],
    socketOptions: [],
    freebind: false,
    transparent: false,
    ...overrides,
  };
}
