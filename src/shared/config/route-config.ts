/**
 * Routes as the router wants them. Made from `envoy.config.route.v3.RouteConfiguration`.
 * Workers hold one compiled table per route configuration; open connections see a new one at once.
 */
import type { HeaderMatcher, QueryParameterMatcher, RegexSource } from "./matchers.ts";
import type { RuntimeDefault } from "./runtime-values.ts";

/** `envoy.extensions.filters.http.on_demand.v3.OnDemandCds`, `TcpProxy.OnDemand`. */
export interface OnDemandClusters {
  /** Where they come from: written by main, read by main, to workers a text like another. */
  readonly feed: string;
  /** How long a request, or a connection, waits; 0: for ever. */
  readonly timeoutMs: number;
}

/** What a route says to `on_demand` filters, by their names: `clusters` in the place of the filter's own. */
export type OnDemandOverrides = readonly {
  readonly filter: string;
  readonly clusters: OnDemandClusters | undefined;
}[];

/** HTTP filters, by their names, that a route turns off, or on again. */
export type FilterSwitches = readonly FilterSwitch[];

export interface FilterSwitch {
  readonly filter: string;
  readonly isOn: boolean;
  /** For a filter of `--http-filter`, in the place of its own; absent: it keeps that. */
  readonly own?: ModuleConfig;
}

/** `kind: "module"` of HTTP filters. */
export interface ModuleConfig {
  readonly module: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly requestHeaders: HeaderMutations;
  readonly responseHeaders: HeaderMutations;
  readonly ignorePortInHostMatching: boolean;
  /** Absent: none. The same of virtual hosts and routes, of which the nearest counts. */
  readonly onDemand?: OnDemandOverrides;
  readonly filterSwitches?: FilterSwitches;
  /** By VHDS, beside `virtualHosts`; absent: they are not discovered. Names are unique, domains are over both. */
  readonly discovered?: readonly VirtualHost[];
}

/** What VHDS changed of a route configuration. */
export interface VirtualHostChange {
  readonly changed: readonly VirtualHost[];
  /** Names; they go first. */
  readonly removed: readonly string[];
}

export interface VirtualHost {
  readonly name: string;
  /** Lower case: exact, `*.suffix`, `prefix.*`, `*`. */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly requestHeaders: HeaderMutations;
  readonly responseHeaders: HeaderMutations;
  readonly requireTls: "none" | "externalOnly" | "all";
  readonly onDemand?: OnDemandOverrides;
  readonly filterSwitches?: FilterSwitches;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  readonly requestHeaders: HeaderMutations;
  readonly responseHeaders: HeaderMutations;
  readonly onDemand?: OnDemandOverrides;
  readonly filterSwitches?: FilterSwitches;
}

export interface RouteMatch {
  readonly path: PathMatcher;
  /** Of paths; domains are always case-insensitive. */
  readonly caseSensitive: boolean;
  readonly headers: readonly HeaderMatcher[];
  readonly queryParameters: readonly QueryParameterMatcher[];
  /** Share of requests that match, numerator of a million; undefined: all. */
  readonly runtimeFraction: RuntimeDefault | undefined;
}

export type PathMatcher =
  | { readonly kind: "prefix" | "exact" | "pathSeparatedPrefix"; readonly value: string }
  | { readonly kind: "regex"; readonly regex: RegexSource }
  /** Of CONNECT, which has no path, and of nothing else. */
  | { readonly kind: "connect" };

export type RouteAction =
  | ClusterAction
  | {
      readonly kind: "directResponse";
      readonly status: number;
      readonly body: string;
    }
  | RedirectAction;

/** `upgrade_configs`: one type of upgrade, in lower case; `connect` is the method. */
export interface UpgradeConfig {
  readonly type: string;
  readonly isEnabled: boolean;
}

/** `connect_config` of a route: what a tunnel carries goes to the host as it is, in TCP. */
export interface TunnelEnd {
  /** The body of a POST does so, too. */
  readonly allowsPost: boolean;
  /** Of the PROXY header that the host reads first; absent: none. */
  readonly proxyProtocol?: ProxyProtocolVersion;
}

export type ProxyProtocolVersion = "v1" | "v2";

/** In milliseconds. */
export interface StreamDuration {
  /** 0: none. Undefined: the connection manager's. */
  readonly maxMs: number | undefined;
  /** Of what `grpc-timeout` asks for; 0: no limit. Undefined: nobody looks at it. */
  readonly grpcHeaderMaxMs: number | undefined;
  /** Taken from what it asks for. */
  readonly grpcHeaderOffsetMs: number;
}

export interface ClusterAction {
  readonly kind: "cluster";
  /** One entry for `cluster`, several for `weighted_clusters`; or the name of a request header. */
  readonly clusters: readonly WeightedCluster[] | { readonly header: string };
  readonly clusterNotFoundStatus: number;
  /** 0: none. Default 15 s. */
  readonly timeoutMs: number;
  /** 0: none. Undefined: the connection manager's. */
  readonly idleTimeoutMs: number | undefined;
  /** `max_stream_duration`. */
  readonly streamDuration?: StreamDuration;
  /** `max_grpc_timeout` and its offset; `streamDuration` outranks it. */
  readonly grpcTimeout?: { readonly maxMs: number; readonly offsetMs: number };
  readonly prefixRewrite: string | undefined;
  readonly regexRewrite: { readonly regex: RegexSource; readonly substitution: string } | undefined;
  readonly hostRewrite:
    | { readonly kind: "literal"; readonly value: string }
    | { readonly kind: "auto" }
    | undefined;
  readonly appendXForwardedHost: boolean;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly priority: "default" | "high";
  /** Outrank those of the connection manager. */
  readonly upgrades: readonly UpgradeConfig[];
  /** Absent: CONNECT is passed on as such. */
  readonly tunnelEnd?: TunnelEnd;
  /** Absent: redirects of hosts go to the client. */
  readonly internalRedirect?: InternalRedirectPolicy;
}

/** `InternalRedirectPolicy`: which redirects of hosts are followed here, in the client's place. */
export interface InternalRedirectPolicy {
  /** Of one request; of the route that its last host was found by. */
  readonly redirectsMax: number;
  readonly codes: readonly number[];
  readonly predicates: readonly RedirectPredicate[];
  readonly allowsCrossScheme: boolean;
  /** From the redirect to the next request, in lower case; one that the redirect has not is cleared. */
  readonly headersToCopy: readonly string[];
}

/** Each may object to the route that a redirect leads to. */
export type RedirectPredicate =
  /** A route leads to another one once in a request. */
  | { readonly kind: "previousRoutes" }
  | { readonly kind: "allowListedRoutes"; readonly routes: readonly string[] }
  /** Who came without TLS is not led to where it is asked for. */
  | { readonly kind: "safeCrossScheme" };

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  /** Nearer than the route's. */
  readonly onDemand?: OnDemandOverrides;
  readonly filterSwitches?: FilterSwitches;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  readonly scheme: "http" | "https" | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly prefixRewrite: string | undefined;
  readonly regexRewrite: { readonly regex: RegexSource; readonly substitution: string } | undefined;
  readonly stripQuery: boolean;
}

/** Conditions of retries that look at `grpc-status`, with its values (docs: router_filter, x-envoy-retry-grpc-on). */
export const grpcRetryConditions = {
  cancelled: 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  internal: 13,
  unavailable: 14,
} as const;
export type GrpcRetryCondition = keyof typeof grpcRetryConditions;

/** The part of `envoy.config.route.v3.RetryPolicy` that is built. */
export interface RetryPolicy {
  readonly retryOn: readonly (
    | "5xx"
    | "gateway-error"
    | "connect-failure"
    | "refused-stream"
    | "reset"
    | "retriable-4xx"
    | "retriable-status-codes"
    | GrpcRetryCondition
  )[];
  readonly retriableStatusCodes: readonly number[];
  readonly numRetries: number;
  readonly perTryTimeoutMs: number;
  /** 0: none. */
  readonly perTryIdleTimeoutMs: number;
}

export interface HeaderMutations {
  /** In order of application. Values may hold `%OPERATOR%` parts, parsed like an access log's. */
  readonly add: readonly {
    readonly name: string;
    readonly value: string;
    readonly action: "append" | "addIfAbsent" | "overwrite" | "overwriteIfExists";
  }[];
  readonly remove: readonly string[];
}

export const noHeaderMutations: HeaderMutations = { add: [], remove: [] };
