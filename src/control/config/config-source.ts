/** Where a kind of resource comes from: `envoy.config.core.v3.ConfigSource` and `ApiConfigSource`. */

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

export interface ApiConfigSource {
  readonly apiType: "grpc" | "deltaGrpc";
  readonly service: GrpcService;
  /** Sends the whole node in the first request of a stream alone. */
  readonly setNodeOnFirstMessageOnly: boolean;
}

/** `envoy.config.core.v3.GrpcService.EnvoyGrpc`: a cluster of ours carries the stream. */
export interface GrpcService {
  readonly clusterName: string;
  /** Empty: the cluster's name. */
  readonly authority: string;
  readonly initialMetadata: readonly { readonly key: string; readonly value: string }[];
  /** 0: none. */
  readonly timeoutMs: number;
}
