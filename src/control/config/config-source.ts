/** Where a kind of resource comes from: `envoy.config.core.v3.ConfigSource` and `ApiConfigSource`. */
import type { BackoffOptions } from "../../shared/common/backoff.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";

export type ConfigSource = {
  /** How long warming waits for the first answer; 0: for ever. Default 15 s. */
  readonly initialFetchTimeoutMs: number;
} & (
  | { readonly kind: "ads" }
  /** The same server that sent the resource which names this source. */
  | { readonly kind: "self" }
  /** A file, reloaded when it is replaced by a rename (Envoy: filesystem subscription). */
  | { readonly kind: "path"; readonly path: string; readonly watchedDirectory: string | undefined }
  | { readonly kind: "api"; readonly api: ApiConfigSource }
);

export type ApiConfigSource = GrpcApiSource | RestApiSource;

export interface GrpcApiSource {
  /** The aggregated ones share one stream among all types that name the same service. */
  readonly apiType: "grpc" | "deltaGrpc" | "aggregatedGrpc" | "aggregatedDeltaGrpc";
  /** At least one; the later ones are tried when the earlier ones do not answer. */
  readonly services: readonly GrpcService[];
  /** Sends the whole node in the first request of a stream alone. */
  readonly setNodeOnFirstMessageOnly: boolean;
  /** Undefined: requests are not limited. */
  readonly rateLimit: RateLimit | undefined;
  /** Between attempts to open the stream; undefined: 500 ms to 30 s. */
  readonly backoff: BackoffOptions | undefined;
}

/** Polled over HTTP. */
export interface RestApiSource {
  readonly apiType: "rest";
  readonly clusterName: string;
  /** From an answer to the next request, jittered by the client. */
  readonly refreshDelayMs: number;
  readonly requestTimeoutMs: number;
}

/** `envoy.config.core.v3.RateLimitSettings`: a bucket of requests. */
export interface RateLimit {
  readonly maxTokens: number;
  readonly tokensPerSecond: number;
}

/** `envoy.config.core.v3.GrpcService`. */
export interface GrpcService {
  readonly target:
    /** `envoy_grpc`: the hosts of a cluster of ours. */
    | { readonly kind: "cluster"; readonly clusterName: string }
    /** `google_grpc`: a target URI of gRPC, `dns:///host:port`, `unix:path`; without `tls` in plain text. */
    | { readonly kind: "uri"; readonly uri: string; readonly tls: UpstreamTlsConfig | undefined };
  /** Empty: the target's name. */
  readonly authority: string;
  readonly initialMetadata: readonly { readonly key: string; readonly value: string }[];
  /** 0: none. As in Envoy it bounds single calls, and a discovery stream is none. */
  readonly timeoutMs: number;
}

/** Where all resources of a full-state type come from. */
export type CollectionSource = ConfigSource & {
  /** The `xdstp` collection that they are, in canonical form; undefined: everything that the source has. */
  readonly collection: string | undefined;
};
