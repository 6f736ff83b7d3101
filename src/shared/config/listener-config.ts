/**
 * A listener as the data path wants it: immutable, plain, structured-clonable, everything resolved
 * and defaulted. Made by `control/config` from `envoy.config.listener.v3.Listener`, never elsewhere.
 */
import type { CidrRange } from "./cidr-range.ts";
import type { SocketAddress } from "../common/address.ts";
import type { DrainPolicy, DrainType } from "../drain/drain.ts";
import type { AccessLogConfig } from "./access-log-config.ts";
import type { HttpConnectionManagerConfig } from "./http-config.ts";
import type { ListenerFilterConfig } from "./listener-filter-config.ts";
import type { ChainMatchTree } from "./match-tree.ts";
import type { TcpProxyConfig } from "./tcp-proxy-config.ts";

export interface ListenerConfig {
  readonly name: string;
  /** The main address first, then `additional_addresses`. */
  readonly addresses: readonly SocketAddress[];
  readonly statPrefix: string;
  readonly filterChains: readonly FilterChainConfig[];
  readonly defaultFilterChain: FilterChainConfig | undefined;
  /** Finds chains by their names; undefined: they are found by what they match. */
  readonly chainMatcher: ChainMatchTree | undefined;
  readonly listenerFilters: readonly ListenerFilterConfig[];
  /** `use_original_dst`: a connection whose local address a filter restored goes to the listener at that address. */
  readonly handsOffRestored: boolean;
  /** 0: none. */
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly perConnectionBufferLimitBytes: number;
  readonly drainType: DrainType;
  /** What the listener's metadata says; undefined fields fall back to the process's flags. */
  readonly drainPolicy: Partial<DrainPolicy>;
  readonly trafficDirection: "unspecified" | "inbound" | "outbound";
  readonly bindToPort: boolean;
  readonly enableReusePort: boolean;
  readonly tcpBacklogSize: number;
  readonly acceptsPerEventMax: number;
  readonly ignoreGlobalConnLimit: boolean;
  readonly bypassOverloadManager: boolean;
  /** False for one that the operator left out of the process's limits: probes, scrapes. Nobody's work is cut there. */
  readonly carriesTraffic: boolean;
  readonly accessLog: readonly AccessLogConfig[];
  /** Of each of `addresses`, in their order. */
  readonly addressOptions: readonly AddressOptions[];
  readonly freebind: boolean;
  readonly transparent: boolean;
}

export interface AddressOptions {
  readonly socketOptions: readonly SocketOptionConfig[];
  /** Accepted connections have it too. Undefined: off. */
  readonly keepAlive: KeepAliveConfig | undefined;
  /** Of an IPv6 address: IPv4 clients are taken too, and seen by their IPv4 addresses. */
  readonly ipv4Compat: boolean;
}

/** Undefined fields are left to the system. */
export interface KeepAliveConfig {
  readonly probes: number | undefined;
  readonly timeS: number | undefined;
  readonly intervalS: number | undefined;
}

export interface SocketOptionConfig {
  readonly level: number;
  readonly name: number;
  readonly value: { readonly int: number } | { readonly bytes: Uint8Array };
  readonly state: "prebind" | "bound" | "listening";
}

export interface FilterChainConfig {
  /** Hash of what the chain means to a connection: equal means that its connections are kept. */
  readonly id: string;
  /** Hash of the rest, which open connections take up with their next request. */
  readonly revision: string;
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly filters: readonly NetworkFilterConfig[];
  readonly transportSocket: TransportSocketConfig;
  /** 0: none. */
  readonly transportSocketConnectTimeoutMs: number;
}

/** Absent criteria match everything (Envoy: `FilterChainMatch`). */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly prefixRanges: readonly CidrRange[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourcePrefixRanges: readonly CidrRange[];
  readonly sourceType: "any" | "sameIpOrLoopback" | "external";
  readonly sourcePrefixRanges: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
}

export type NetworkFilterConfig =
  | PlainNetworkFilterConfig
  /** By ECDS: workers have it under its id (`setFilterConfig`), or the fallback; without any a connection is closed. */
  | {
      readonly kind: "discovered";
      readonly id: string;
      readonly fallback: PlainNetworkFilterConfig | undefined;
    };

export type PlainNetworkFilterConfig =
  | { readonly kind: "tcpProxy"; readonly config: TcpProxyConfig }
  | { readonly kind: "httpConnectionManager"; readonly config: HttpConnectionManagerConfig }
  /** Accepted without effect, with the reason in the extension table (Istio's metadata exchange). */
  | { readonly kind: "noop"; readonly name: string };

export type TransportSocketConfig =
  | { readonly kind: "rawBuffer" }
  /** Workers have the context under its id, or none yet: then connections are refused. */
  | { readonly kind: "tls"; readonly contextId: string };
