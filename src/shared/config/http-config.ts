/** `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`. */
import type { AccessLogConfig } from "./access-log-config.ts";
import type { ServerHttp1Options } from "./http1-options.ts";
import type {
  HeaderMutations,
  OnDemandClusters,
  RouteConfig,
  UpgradeConfig,
} from "./route-config.ts";
import type { ScopedRoutesConfig } from "./scoped-routes.ts";

/** Of a connection manager. */
export interface ManagerUpgradeConfig extends UpgradeConfig {
  /** What asks for it passes these in place of the manager's; absent: it passes those. */
  readonly filters?: readonly PlacedHttpFilter[];
}

export interface HttpConnectionManagerConfig {
  readonly statPrefix: string;
  readonly codec: "auto" | "http1" | "http2";
  readonly routes:
    | { readonly kind: "inline"; readonly config: RouteConfig }
    | { readonly kind: "rds"; readonly name: string }
    | { readonly kind: "scoped"; readonly config: ScopedRoutesConfig };
  readonly filters: readonly PlacedHttpFilter[];
  readonly serverName: string;
  readonly serverHeader: "overwrite" | "appendIfAbsent" | "passThrough";
  /** Empty: no `via`. */
  readonly via: string;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly clientCert: ClientCertConfig;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly maxRequestHeadersKb: number;
  readonly maxRequestHeadersCount: number;
  /** All in milliseconds; 0: none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** Of that, added at random. */
  readonly connectionDurationJitterPercent: number;
  /** An HTTP/1 connection that is old enough is closed with its next response, never in silence. */
  readonly http1SafeMaxConnectionDuration: boolean;
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
  readonly http1: ServerHttp1Options;
  readonly http2: Http2Options;
  readonly upgrades: readonly ManagerUpgradeConfig[];
  readonly headersWithUnderscores: "allow" | "rejectRequest" | "dropHeader";
  readonly accessLog: readonly AccessLogConfig[];
}

/** `envoy.config.core.v3.Http2ProtocolOptions`. */
/** A head must fit before the read window together with what follows it, and in the staging window twice. */
export const headKbMax = 63;

export interface Http2Options {
  /** Of the table for what we read, and at most for what we write. */
  readonly hpackTableBytes: number;
  /** Strings that we write are encoded where it makes them shorter (RFC 7541 §5.2). */
  readonly usesHuffman: boolean;
  readonly maxConcurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Frames that wait for a peer that does not read, at most; and of those the answers to its own. */
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  readonly maxConsecutiveEmptyFrames: number;
  readonly maxPriorityFramesPerStream: number;
  readonly maxWindowUpdatesPerDataFrame: number;
  /** `allow_connect`: of clients; their extended CONNECT is understood, and our SETTINGS say so (RFC 8441). */
  readonly allowsConnect: boolean;
  /** `allow_metadata`: METADATA frames are read and sent; else they are ignored. */
  readonly allowsMetadata: boolean;
  /** `max_metadata_size`: of all that a stream gets. */
  readonly maxMetadataBytes: number;
  /** What is malformed costs its stream; else its connection. */
  readonly streamErrorOnInvalidMessage: boolean;
  /** SETTINGS beside those above, by number; no identifier twice. */
  readonly customSettings: readonly (readonly [id: number, value: number])[];
  /** Undefined: no pings. */
  readonly keepalive: Http2Keepalive | undefined;
}

export interface Http2Keepalive {
  /** 0: none at intervals. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Of the interval, added at random. */
  readonly jitterPercent: number;
  /** A request on a connection that was silent for so long goes behind a ping; 0: never. Of hosts alone. */
  readonly idleIntervalMs: number;
}

/** `forward_client_cert_details`, and `set_current_client_cert_details`. */
export interface ClientCertConfig {
  readonly forward:
    | "sanitize"
    | "forwardOnly"
    | "appendForward"
    | "sanitizeSet"
    | "alwaysForwardOnly";
  readonly details: {
    readonly subject: boolean;
    readonly cert: boolean;
    readonly chain: boolean;
    readonly dns: boolean;
    readonly uri: boolean;
  };
}

export type PlacedHttpFilter = HttpFilterConfig & {
  /** Under which routes turn it off, or on. Absent: they cannot. */
  readonly filterName?: string;
  /** `disabled`: off, unless a route turns it on. */
  readonly isDisabled?: true;
};

export type HttpFilterConfig =
  | PlainHttpFilterConfig
  /** By ECDS: workers have it under its id (`setFilterConfig`), or the fallback; without any a request gets 500. */
  | {
      readonly kind: "discovered";
      readonly id: string;
      /** By the types that may come. */
      readonly mayInjectCredentials: boolean;
      readonly fallback: PlainHttpFilterConfig | undefined;
    };

export type PlainHttpFilterConfig =
  | { readonly kind: "router"; readonly suppressEnvoyHeaders: boolean }
  /** `envoy.filters.http.credential_injector`, generic: puts a secret into a header. */
  | {
      readonly kind: "credentialInjector";
      /** Where workers find it (`setSecret`). */
      readonly secret: string;
      /** In lower case. */
      readonly header: string;
      /** Before the secret: `Bearer `. */
      readonly prefix: string;
      /** A value that the request has is replaced; else it stays. */
      readonly overwrite: boolean;
      /** Without a secret the request goes on without it; else it is a 401. */
      readonly allowsRequestWithoutCredential: boolean;
    }
  /** `envoy.filters.http.header_mutation`: each in its turn. */
  | {
      readonly kind: "headerMutation";
      readonly request: readonly HeaderMutations[];
      readonly response: readonly HeaderMutations[];
    }
  /** `envoy.filters.http.on_demand`: a request waits for what it needs and nobody asked for before. */
  | {
      readonly kind: "onDemand";
      /** Under which routes say otherwise. */
      readonly name: string;
      /** Undefined: clusters are not waited for. */
      readonly clusters: OnDemandClusters | undefined;
    }
  /** `envoy.filters.http.grpc_stats`. */
  | {
      readonly kind: "grpcStats";
      /** `service/method` of those that are counted apart; the others are counted together. */
      readonly methods: "all" | readonly string[];
      /** `enable_upstream_stats`. */
      readonly measuresUpstream: boolean;
      /** Of services, where all are counted apart. */
      readonly replacesDots: boolean;
    }
  /** `envoy.filters.http.grpc_http1_bridge`. */
  | {
      readonly kind: "grpcHttp1Bridge";
      /** `upgrade_protobuf_to_grpc`. */
      readonly upgradesProtobuf: boolean;
      /** `ignore_query_parameters`: what is made a call has no query. */
      readonly ignoresQuery: boolean;
    }
  /** `envoy.filters.http.grpc_web`. */
  | { readonly kind: "grpcWeb" }
  /** Of a file that `--http-filter` names. */
  | {
      readonly kind: "module";
      /** The name that it has given itself. */
      readonly module: string;
      readonly config: Readonly<Record<string, unknown>>;
    }
  /** Accepted without effect, with the reason in the extension table (Istio's stats, alpn, …). */
  | { readonly kind: "noop"; readonly name: string };
