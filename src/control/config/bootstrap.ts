/**
 * The bootstrap, from the text of a file and of `--config-yaml` to what the server is built from. All
 * of it is judged, static listeners and clusters too, before anything is told: one look shows all errors.
 */
import { mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import type { Admin, Bootstrap } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { Secret } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/secret_pb.d.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeResult } from "../proto/decode-result.ts";
import { readText, readTextLeniently } from "../proto/json.ts";
import { decodeAccessLogs } from "./access-logs.ts";
import { decodeAddress } from "./addresses.ts";
import type {
  AdminConfig,
  BootstrapConfig,
  DynamicResources,
  NodeConfig,
} from "./bootstrap-config.ts";
import { decodeCluster } from "./clusters.ts";
import { clusterOf } from "./api-config-sources.ts";
import { type Authorities, decodeAuthorities } from "./authorities.ts";
import type { ApiConfigSource, ConfigSource } from "./config-source.ts";
import { sourcesOf } from "./decoded-listener.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import { decodeDynamicResources } from "./dynamic-resources.ts";
import { logClustersOf } from "./grpc-access-logs.ts";
import { decodeListener } from "./listeners.ts";
import { decodeLoadStats } from "./load-stats.ts";
import { decodeStringMatcher } from "./matchers.ts";
import { type NodeFlags, completeNode } from "./node.ts";
import { type DecodedSecret, secretMessages } from "./secret-config.ts";
import { decodeSecret, secretTypeName } from "./secrets.ts";
import { apisOf, judgeClusterTls, ownClusters, secretSourcesOf } from "./own-clusters.ts";
import { decodeOverloadManager } from "./overload-manager.ts";
import { decodeRuntimeLayers } from "./runtime-layers.ts";
import { decodeWatchdogs } from "./watchdogs.ts";

export interface BootstrapSource {
  /** Content of `--config-path`; empty: none. */
  readonly text: string;
  /** `--config-yaml`, merged over it; empty: none. */
  readonly yaml: string;
  /** `--service-node`, `--service-cluster`, `--service-zone`: each wins over the node where it is given. */
  readonly node: NodeFlags;
  /** `--allow-unknown-static-fields`: unknown fields are warned of, not refused. */
  readonly allowUnknownFields?: boolean;
}

const statsFlushIntervalMsDefault = 5_000;

/** Never throws. */
export function decodeBootstrap(
  tools: DecodeTools,
  source: BootstrapSource,
): DecodeResult<BootstrapConfig> {
  const schema = tools.protos.schema<Bootstrap>("envoy.config.bootstrap.v3.Bootstrap");
  const texts = [source.text, source.yaml].filter((text) => text !== "");
  const context = new DecodeContext(tools);
  const read = texts.map((text) => {
    if (source.allowUnknownFields !== true) return readText(tools.protos, schema, text);
    const lenient = readTextLeniently(tools.protos, schema, text);
    if (!lenient.ok) return lenient;
    for (const unknown of lenient.value.unknownFields) context.warn(unknown, "passed over");
    return { ok: true as const, value: lenient.value.value };
  });
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  const messages = read.flatMap((one) => (one.ok ? [one.value] : []));
  const [message, ...overlays] = messages;
  if (errors.length > 0 || !message)
    return { ok: false, errors: errors.length > 0 ? errors : ["the bootstrap is empty"] };
  for (const overlay of overlays) mergeFromBinary(schema, message, toBinary(schema, overlay));
  message.node = completeNode(message.node, source.node, tools.protos);
  if (!context.check(schema, message)) return context.result<BootstrapConfig>(undefined);
  return context.result(decodeMessage(message, toBinary(schema, message), context));
}

function decodeMessage(
  message: Bootstrap,
  bytes: Uint8Array,
  context: DecodeContext,
): BootstrapConfig {
  const { staticResources } = message;
  const listeners = (staticResources?.listeners ?? []).map((one) =>
    context.within(`listener '${one.name}'`, () => decodeListener(one, context)),
  );
  const clusters = (staticResources?.clusters ?? []).map((one) =>
    context.within(`cluster '${one.name}'`, () => decodeCluster(one, context)),
  );
  const clusterNames = clusters.map(({ config }) => config.name);
  const duplicate = (name: string): string => `cluster manager: duplicate cluster '${name}'`;
  judgeDuplicates(clusterNames, duplicate, context);
  judgeDuplicates(
    listeners.map(({ config }) => config.name),
    (name) => `static_resources.listeners: duplicate listener ${name} found`,
    context,
  );
  const localClusterName = message.clusterManager?.localClusterName ?? "";
  if (localClusterName !== "" && !clusterNames.includes(localClusterName))
    context.refuse(`local cluster '${localClusterName}' must be defined`);
  const node = decodeNode(message.node, context);
  const dynamicResources = decodeDynamicResources(message, context);
  const runtimeLayers = decodeRuntimeLayers(message.layeredRuntime, context);
  const authorities = decodeAuthorities(message, runtimeLayers, context);
  const runtimeSources = runtimeLayers.flatMap((layer) =>
    layer.kind === "rtds" ? [layer.source] : [],
  );
  judgeRuntimeSources(runtimeSources, dynamicResources, context);
  judgeNode(node, usesGrpc(dynamicResources, runtimeSources), context);
  const sources = [
    dynamicResources.lds,
    dynamicResources.cds,
    ...runtimeSources,
    ...clusters.flatMap((cluster) => [cluster.edsSource, ...secretSourcesOf(cluster)]),
    ...listeners.flatMap(({ dependencies }) => dependencies.flatMap(sourcesOf)),
  ];
  const loadStatsConfig = message.clusterManager?.loadStatsConfig;
  const loadStats = loadStatsConfig && decodeLoadStats(loadStatsConfig, clusterNames, context);
  const { ads } = dynamicResources;
  const reportedTo = [
    ...(loadStats?.services.flatMap(clusterOf) ?? []),
    ...listeners.flatMap(({ config }) => logClustersOf(config)),
  ];
  const own = ownClusters([...apisOf(sources), ...aggregatedApis(ads, authorities)], reportedTo);
  for (const cluster of clusters) judgeClusterTls(cluster, { own, ads }, context);
  return {
    node,
    admin: message.admin && decodeAdmin(message.admin, context),
    staticListeners: listeners,
    staticClusters: clusters,
    staticSecrets: decodeStaticSecrets(staticResources?.secrets ?? [], context),
    dynamicResources,
    authorities,
    loadStats,
    localClusterName,
    runtimeLayers,
    statsFlushIntervalMs: durationMsOr(message.statsFlushInterval, statsFlushIntervalMsDefault),
    watchdogs: decodeWatchdogs(message, context),
    overload: message.overloadManager && decodeOverloadManager(message.overloadManager, context),
    dispatcherStats: message.enableDispatcherStats,
    headerPrefix: message.headerPrefix === "" ? "x-envoy" : message.headerPrefix,
    bytes,
  };
}

function decodeStaticSecrets(
  messages: readonly Secret[],
  context: DecodeContext,
): readonly DecodedSecret[] {
  const schema = context.protos.schema<Secret>(secretTypeName);
  const secrets = messages.flatMap((one) =>
    context.within(
      `secret '${one.name}'`,
      () => decodeSecret(one, context, toBinary(schema, one)) ?? [],
    ),
  );
  judgeDuplicates(
    secrets.map(({ name, value }) => `${secretMessages[value.kind]} secret name ${name}`),
    (secret) => `Duplicate static ${secret}`,
    context,
  );
  return secrets;
}

function judgeDuplicates(
  names: readonly string[],
  text: (name: string) => string,
  context: DecodeContext,
): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) context.refuse(text(name));
    seen.add(name);
  }
}

function decodeNode(node: Node | undefined, context: DecodeContext): NodeConfig {
  const schema = context.protos.schema<Node>("envoy.config.core.v3.Node");
  return {
    id: node?.id ?? "",
    cluster: node?.cluster ?? "",
    zone: node?.locality?.zone ?? "",
    bytes: node ? toBinary(schema, node) : new Uint8Array(),
  };
}

function decodeAdmin(message: Admin, context: DecodeContext): AdminConfig {
  const accessLog = decodeAccessLogs(message.accessLog, context);
  const { accessLogPath } = message;
  if (accessLogPath !== "")
    context.warn("envoy.config.bootstrap.v3.Admin.access_log_path", "deprecated: use access_log");
  return {
    address: message.address && decodeAddress(message.address, context),
    accessLog,
    allowPaths: message.allowPaths.map((matcher) => decodeStringMatcher(matcher, context)),
    profilePath: message.profilePath,
    ignoreGlobalConnLimit: message.ignoreGlobalConnLimit,
  };
}

function aggregatedApis(
  ads: ApiConfigSource | undefined,
  { fallback, sources }: Authorities,
): readonly ApiConfigSource[] {
  return [ads, fallback, ...sources.values()].filter((api) => api !== undefined);
}

function usesGrpc({ ads, lds, cds }: DynamicResources, others: readonly ConfigSource[]): boolean {
  return ads !== undefined || [lds, cds, ...others].some((source) => source?.kind === "api");
}

function judgeRuntimeSources(
  sources: readonly ConfigSource[],
  { ads }: DynamicResources,
  context: DecodeContext,
): void {
  if (!ads && sources.some(({ kind }) => kind === "ads"))
    context.refuse("layered_runtime names ads, but there is no ads_config");
}

/** Management servers tell proxies apart by these two. */
function judgeNode({ id, cluster }: NodeConfig, isNeeded: boolean, context: DecodeContext): void {
  if (!isNeeded || (id !== "" && cluster !== "")) return;
  context.refuse(
    "node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options.",
  );
}
