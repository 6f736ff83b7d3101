/** What looks at a connection before a filter chain is chosen for it (`envoy.config.listener.v3.ListenerFilter`). */
import type { RuntimeFlag } from "./runtime-values.ts";

export interface ListenerFilterConfig {
  readonly name: string;
  /** Connections that the filter does not see; undefined: it sees all. */
  readonly disabledFor: ListenerFilterMatch | undefined;
  readonly filter: ListenerFilterKind;
}

/** Envoy: `ListenerFilterChainMatchPredicate`. */
export type ListenerFilterMatch =
  | { readonly kind: "any" }
  /** Of the local address: from `start` up to `end`, without it. */
  | { readonly kind: "destinationPort"; readonly start: number; readonly end: number }
  | { readonly kind: "not"; readonly rule: ListenerFilterMatch }
  | { readonly kind: "and" | "or"; readonly rules: readonly ListenerFilterMatch[] };

export type ListenerFilterKind =
  | TlsInspectorConfig
  | ProxyProtocolConfig
  | LocalRateLimitConfig
  | OriginalSourceConfig
  | { readonly kind: "httpInspector" }
  | { readonly kind: "originalDestination" };

export interface TlsInspectorConfig {
  readonly kind: "tlsInspector";
  readonly ja3: boolean;
  readonly ja4: boolean;
  /** What is no readable ClientHello ends the connection; otherwise it passes for plain text. */
  readonly closesOnParsingErrors: boolean;
  readonly initialReadBytes: number;
  /** A longer ClientHello ends the connection. */
  readonly helloBytesMax: number;
}

export interface OriginalSourceConfig {
  readonly kind: "originalSource";
  /** SO_MARK of the upstream connection; 0: none. */
  readonly mark: number;
}

export interface LocalRateLimitConfig {
  readonly kind: "localRateLimit";
  readonly statPrefix: string;
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
  readonly enabled: RuntimeFlag;
}

export interface ProxyProtocolConfig {
  readonly kind: "proxyProtocol";
  /** Empty, or the part of its stats' names between `proxy_proto.` and the rest, without the dot. */
  readonly statPrefix: string;
  readonly allowsNone: boolean;
  readonly disallowedVersions: readonly ("v1" | "v2")[];
}
