import type { DecodedListener } from "../../src/control/config/decoded-listener.ts";
import type { DecodedRouteConfig } from "../../src/control/config/decoded-route-config.ts";
import { listenerFactsOf } from "../../src/control/config/listener-facts.ts";
import type { SocketAddress } from "../../src/shared/common/address.ts";
import type { FilterChainConfig, ListenerConfig } from "../../src/shared/config/listener-config.ts";
import { noHeaderMutations } from "../../src/shared/config/route-config.ts";

/** `tcp("127.0.0.1:80")`. */
export function ip(text: string): SocketAddress {
  const [address = "", port = "0"] = text.split(":");
  return { kind: "ip", ip: address, port: Number(port) };
}

export interface ListenerSketch {
  readonly name: string;
  readonly address?: string;
  /** Ids of filter chains. */
  readonly chains?: readonly string[];
  /** Where they proxy to. Default `upstream`. */
  readonly cluster?: string;
  /** Of every filter chain: what open connections take up. */
  readonly revision?: string;
  readonly routes?: readonly string[];
  /** Names of `scoped_routes` that come by SRDS. */
  readonly scopedRoutes?: readonly string[];
  readonly requiredClusters?: readonly string[];
  /** Other bytes, the same meaning. */
  readonly spelling?: string;
  readonly config?: Partial<ListenerConfig>;
}

const ads = { kind: "ads", initialFetchTimeoutMs: 15_000 } as const;

/** A listener as `control/config` would decode it; `bytes` are the sketch as text, so equal means equal. */
export function decodedListener(sketch: ListenerSketch): DecodedListener {
  const { name, address = "127.0.0.1:8080", chains = ["tcp"] } = sketch;
  const { routes = [], scopedRoutes = [] } = sketch;
  const config: ListenerConfig = {
    name,
    addresses: [ip(address)],
    statPrefix: "",
    filterChains: chains.map((id) => tcpChain(id, sketch.cluster ?? "upstream", sketch.revision)),
    defaultFilterChain: undefined,
    chainMatcher: undefined,
    listenerFilters: [],
    handsOffRestored: false,
    listenerFiltersTimeoutMs: 15_000,
    continueOnListenerFiltersTimeout: false,
    perConnectionBufferLimitBytes: 1024 * 1024,
    drainType: "default",
    drainPolicy: {},
    trafficDirection: "unspecified",
    bindToPort: true,
    enableReusePort: false,
    tcpBacklogSize: 128,
    acceptsPerEventMax: 64,
    ignoreGlobalConnLimit: false,
    bypassOverloadManager: false,
    carriesTraffic: true,
    accessLog: [],
    addressOptions: [{ socketOptions: [], keepAlive: undefined, ipv4Compat: false }],
    freebind: false,
    transparent: false,
    ...sketch.config,
  };
  const text = JSON.stringify(sketch);
  return {
    facts: listenerFactsOf(config),
    config,
    bytes: new TextEncoder().encode(text),
    hash: text,
    dependencies: [
      ...routes.map(
        (routeConfigName) =>
          ({ kind: "rds", routeConfigName, source: ads, statPrefix: "http" }) as const,
      ),
      ...scopedRoutes.map(
        (scopes) =>
          ({
            kind: "srds",
            name: scopes,
            scopes: { kind: "srds", source: { ...ads, collection: undefined }, rdsSource: ads },
            statPrefix: "http",
          }) as const,
      ),
    ],
    requiredClusters: sketch.requiredClusters ?? [],
  };
}

function tcpChain(id: string, cluster: string, revision = ""): FilterChainConfig {
  return {
    id,
    revision,
    name: id,
    match: {
      destinationPort: undefined,
      prefixRanges: [],
      serverNames: [],
      transportProtocol: "",
      applicationProtocols: [],
      directSourcePrefixRanges: [],
      sourceType: "any",
      sourcePrefixRanges: [],
      sourcePorts: [],
    },
    filters: [
      {
        kind: "tcpProxy",
        config: {
          statPrefix: "tcp",
          clusters: [{ name: cluster, weight: 1 }],
          idleTimeoutMs: 3_600_000,
          maxConnectAttempts: 1,
          maxDownstreamConnectionDurationMs: 0,
          checkDrainClose: false,
          onDemand: undefined,
          accessLog: [],
        },
      },
    ],
    transportSocket: { kind: "rawBuffer" },
    transportSocketConnectTimeoutMs: 0,
  };
}

export function decodedRoutes(
  name: string,
  clusterNames: readonly string[] = [],
): DecodedRouteConfig {
  const config = {
    name,
    virtualHosts: [],
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    ignorePortInHostMatching: false,
  };
  return { config, clusterNames, validateClusters: false, bytes: new Uint8Array() };
}
