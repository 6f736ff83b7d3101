/** Stats of listener filters: trees of the process, shared by all listeners that have such a filter (as in Envoy). */
import { type StatGroup, defineStats } from "./stat-group.ts";

/** `tls_inspector.` */
export const tlsInspectorStats = defineStats({
  counters: [
    "client_hello_too_large",
    "tls_found",
    "tls_not_found",
    "alpn_found",
    "alpn_not_found",
    "sni_found",
    "sni_not_found",
  ],
  histograms: ["bytes_processed"],
});

/** `http_inspector.` */
export const httpInspectorStats = defineStats({
  counters: ["read_error", "http10_found", "http11_found", "http2_found", "http_not_found"],
});

/** `proxy_proto.`, or `proxy_proto.<stat_prefix>.` */
export const proxyProtocolStats = defineStats({
  counters: [
    "not_found_allowed",
    "not_found_disallowed",
    "versions.v1.found",
    "versions.v1.disallowed",
    "versions.v1.error",
    "versions.v2.found",
    "versions.v2.disallowed",
    "versions.v2.error",
  ],
});

/** `listener_local_ratelimit.<stat_prefix>.` */
export const localRateLimitStats = defineStats({ counters: ["rate_limited"] });

/** Without a prefix. */
export const proxyProtocolErrorStats = defineStats({
  counters: ["downstream_cx_proxy_proto_error"],
});

/** A tree of stats: what is in it, and where. */
export interface FilterStatTree {
  readonly group: StatGroup;
  /** Ends in a dot, or is empty. */
  readonly prefix: string;
}

export const listenerFilterPrefixes = {
  tlsInspector: "tls_inspector.",
  httpInspector: "http_inspector.",
  localRateLimit: (statPrefix: string): string => `listener_local_ratelimit.${statPrefix}.`,
  proxyProtocol: (statPrefix: string): string =>
    statPrefix === "" ? "proxy_proto." : `proxy_proto.${statPrefix}.`,
} as const;
