/**
 * The bootstrap, from the text of a file and of `--config-yaml` to what the server is built from. All
 * of it is judged, static listeners and clusters too, before anything is told: one look shows all errors.
 */
import { mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import type {
  Admin,
  Bootstrap,
  Bootstrap_DynamicResources as DynamicMessage,
} from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { ApiConfigSource as ApiMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
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
import { warnOfHttp2 } from "./cluster-protocol.ts";
import { decodeCluster } from "./clusters.ts";
import { decodeApiConfigSource } from "./api-config-sources.ts";
import type { ConfigSource, GrpcApiSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import { sourcesOf } from "./decoded-listener.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import { decodeListener } from "./listeners.ts";
import { decodeStringMatcher } from "./matchers.ts";
import { type NodeFlags, completeNode } from "./node.ts";
import { decodeRuntimeLayers } from "./runtime-layers.ts";

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
  const name = (one: { readonly config: { readonly name: string } }): string => one.config.name;
  judgeDuplicates(
    clusters.map(name),
    (name) => `cluster manager: duplicate cluster '${name}'`,
    context,
  );
  judgeDuplicates(
    listeners.map(name),
    (name) => `static_resources.listeners: duplicate listener ${name} found`,
    context,
  );
  const node = decodeNode(message.node, context);
  const dynamicResources = decodeDynamicResources(message.dynamicResources, context);
  judgeNode(node, usesGrpc(dynamicResources), context);
  const spokenToByGrpc = grpcClusters(dynamicResources, [
    ...clusters.map(({ edsSource }) => edsSource),
    ...listeners.flatMap(({ dependencies }) => dependencies.flatMap(sourcesOf)),
  ]);
  for (const { config } of clusters) {
    if (!spokenToByGrpc.has(config.name)) warnOfHttp2(config, context);
  }
  return {
    node,
    admin: message.admin && decodeAdmin(message.admin, context),
    staticListeners: listeners,
    staticClusters: clusters,
    dynamicResources,
    localClusterName: message.clusterManager?.localClusterName ?? "",
    runtimeLayers: decodeRuntimeLayers(message.layeredRuntime, context),
    statsFlushIntervalMs: durationMsOr(message.statsFlushInterval, statsFlushIntervalMsDefault),
    dispatcherStats: message.enableDispatcherStats,
    headerPrefix: message.headerPrefix === "" ? "x-envoy" : message.headerPrefix,
    bytes,
  };
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

function decodeDynamicResources(
  message: DynamicMessage | undefined,
  context: DecodeContext,
): DynamicResources {
  const { adsConfig, ldsConfig, cdsConfig } = message ?? {};
  const resources: DynamicResources = {
    ads: adsConfig && decodeAds(adsConfig, context),
    lds: ldsConfig && decodeConfigSource(ldsConfig, context),
    cds: cdsConfig && decodeConfigSource(cdsConfig, context),
  };
  for (const kind of ["lds", "cds"] as const)
    if (resources[kind]?.kind === "ads" && !resources.ads)
      context.refuse(`dynamic_resources.${kind}_config names ads, but there is no ads_config`);
  return resources;
}

/** One stream of all types: nothing that is polled. */
function decodeAds(message: ApiMessage, context: DecodeContext): GrpcApiSource | undefined {
  const source = decodeApiConfigSource(message, context);
  if (source.apiType !== "rest") return source;
  context.refuse("ads_config.api_type must be GRPC or DELTA_GRPC");
  return undefined;
}

/** Clusters of management servers: gRPC has an HTTP/2 of its own. */
function grpcClusters(
  { ads, lds, cds }: DynamicResources,
  others: readonly (ConfigSource | undefined)[],
): ReadonlySet<string> {
  const sources = [lds, cds, ...others].flatMap((source) =>
    source?.kind === "api" ? [source.api] : [],
  );
  const services = [...(ads ? [ads] : []), ...sources].flatMap((source) =>
    "services" in source ? source.services : [],
  );
  return new Set(
    services.flatMap(({ target }) => (target.kind === "cluster" ? [target.clusterName] : [])),
  );
}

function usesGrpc({ ads, lds, cds }: DynamicResources): boolean {
  return ads !== undefined || lds?.kind === "api" || cds?.kind === "api";
}

/** Management servers tell proxies apart by these two. */
function judgeNode({ id, cluster }: NodeConfig, isNeeded: boolean, context: DecodeContext): void {
  if (!isNeeded || (id !== "" && cluster !== "")) return;
  context.refuse(
    "node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options.",
  );
}
