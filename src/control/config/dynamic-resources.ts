/** Where listeners and clusters come from: `Bootstrap.dynamic_resources`. */
import { create } from "@bufbuild/protobuf";
import type { Bootstrap } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type {
  ApiConfigSource as ApiMessage,
  ConfigSource as SourceMessage,
} from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { decodeApiConfigSource } from "./api-config-sources.ts";
import type { CollectionSource, DynamicResources } from "./bootstrap-config.ts";
import { type CollectionRules, decodeCollection, decodeNodeParams } from "./collections.ts";
import type { GrpcApiSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";

export function decodeDynamicResources(
  { dynamicResources, node, nodeContextParams }: Bootstrap,
  context: DecodeContext,
): DynamicResources {
  const { adsConfig, ldsConfig, cdsConfig } = dynamicResources ?? {};
  const { ldsResourcesLocator = "", cdsResourcesLocator = "" } = dynamicResources ?? {};
  const who = node ?? create(context.protos.schema<Node>("envoy.config.core.v3.Node"));
  const nodeParams = decodeNodeParams(nodeContextParams, who, context);
  const listeners = { type: "envoy.config.listener.v3.Listener", nodeParams };
  const clusters = { type: "envoy.config.cluster.v3.Cluster", nodeParams };
  const resources: DynamicResources = {
    ads: adsConfig && decodeAds(adsConfig, context),
    lds: decodeSource(ldsConfig, { ...listeners, locator: ldsResourcesLocator }, context),
    cds: decodeSource(cdsConfig, { ...clusters, locator: cdsResourcesLocator }, context),
  };
  for (const kind of ["lds", "cds"] as const)
    if (resources[kind]?.kind === "ads" && !resources.ads)
      context.refuse(`dynamic_resources.${kind}_config names ads, but there is no ads_config`);
  return resources;
}

function decodeSource(
  message: SourceMessage | undefined,
  { locator, ...rules }: Omit<CollectionRules, "source"> & { readonly locator: string },
  context: DecodeContext,
): CollectionSource | undefined {
  const source = message && decodeConfigSource(message, context);
  const collection = decodeCollection(locator, { ...rules, source }, context);
  return source && { ...source, collection };
}

/** One stream of all types: nothing that is polled. */
function decodeAds(message: ApiMessage, context: DecodeContext): GrpcApiSource | undefined {
  const source = decodeApiConfigSource(message, context);
  if (source.apiType !== "rest") return source;
  context.refuse("ads_config.api_type must be GRPC or DELTA_GRPC");
  return undefined;
}
