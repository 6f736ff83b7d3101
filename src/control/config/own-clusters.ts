/**
 * The clusters that Sluice itself speaks to: management servers, load reports, access logs over gRPC. gRPC
 * brings them an HTTP/2 of its own.
 */
import { clusterOf } from "./api-config-sources.ts";
import type { ApiConfigSource, ConfigSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { DecodedCluster } from "./decoded-cluster.ts";
import { clientSecrets, referencesOf, type UpstreamTlsConfig } from "./tls-config.ts";

export interface OwnClusters {
  readonly grpc: ReadonlySet<string>;
  readonly rest: ReadonlySet<string>;
}

/** `reportedTo`: the clusters of load reports and access logs. */
export function ownClusters(
  apis: readonly ApiConfigSource[],
  reportedTo: readonly string[],
): OwnClusters {
  const grpc = apis.flatMap((api) => (api.apiType === "rest" ? [] : api.services));
  const rest = apis.flatMap((api) => (api.apiType === "rest" ? [api.clusterName] : []));
  return { grpc: new Set([...grpc.flatMap(clusterOf), ...reportedTo]), rest: new Set(rest) };
}

export function apisOf(sources: readonly (ConfigSource | undefined)[]): readonly ApiConfigSource[] {
  return sources.flatMap((source) => (source?.kind === "api" ? [source.api] : []));
}

/** Where the secrets of a cluster's own TLS come from. */
export function secretSourcesOf({ tls }: DecodedCluster): readonly ConfigSource[] {
  return tls ? referencesOf(clientSecrets(tls)).flatMap(({ source }) => source ?? []) : [];
}

/** Refuses what cannot work over a cluster's TLS. */
export function judgeClusterTls(
  cluster: DecodedCluster,
  { own, ads }: { readonly own: OwnClusters; readonly ads: ApiConfigSource | undefined },
  context: DecodeContext,
): void {
  const { tls, config } = cluster;
  if (!tls) return;
  const { name } = config;
  const refuse = (error: string): void => context.refuse(`cluster '${name}': ${error}`);
  const isGrpc = own.grpc.has(name);
  const isRest = own.rest.has(name);
  const { alpnProtocols } = tls;
  const offers = (protocol: string): boolean =>
    alpnProtocols.length === 0 || alpnProtocols.includes(protocol);
  if (isGrpc && !offers("h2")) refuse("alpn_protocols must have h2, which gRPC is spoken over");
  if (isRest && !offers("http/1.1"))
    refuse("alpn_protocols must have http/1.1, which REST is spoken over");
  if (isGrpc || isRest) warnOfUnheeded(tls, context);
  for (const { source, name: secret } of referencesOf(clientSecrets(tls)))
    if (source && isThrough(name, source, ads))
      refuse(`SDS secret '${secret}' would have to come over this cluster itself`);
}

/** Node's TLS, by which Sluice itself speaks, is not told. */
function warnOfUnheeded(
  { keyLog, allowRenegotiation }: UpstreamTlsConfig,
  context: DecodeContext,
): void {
  const type = "envoy.extensions.transport_sockets.tls.v3";
  const why = "for what Sluice itself sends";
  if (keyLog) context.warn(`${type}.CommonTlsContext.key_log`, `no keys are logged ${why}`);
  if (allowRenegotiation)
    context.warn(
      `${type}.UpstreamTlsContext.allow_renegotiation`,
      `nothing is negotiated again ${why}`,
    );
}

function isThrough(
  cluster: string,
  source: ConfigSource,
  ads: ApiConfigSource | undefined,
): boolean {
  if (source.kind === "path") return false;
  const api = source.kind === "api" ? source.api : ads;
  const { grpc, rest } = ownClusters(api ? [api] : [], []);
  return grpc.has(cluster) || rest.has(cluster);
}
