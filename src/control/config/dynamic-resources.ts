/** Where listeners and clusters come from: `Bootstrap.dynamic_resources`. */
import { create } from "@bufbuild/protobuf";
import type { Bootstrap } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type {
  ApiConfigSource as ApiMessage,
  ConfigSource as SourceMessage,
} from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { decodeApiConfigSource } from "./api-config-sources.ts";
import type { DynamicResources } from "./bootstrap-config.ts";
import {
  collectionOfNode,
  type CollectionRules,
  decodeCollection,
  decodeNodeParams,
} from "./collections.ts";
import type { CollectionSource, GrpcApiSource } from "./config-source.ts";
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
  const listeners = { type: "envoy.config.listener.v3.Listener", locator: ldsResourcesLocator };
  const clusters = { type: "envoy.config.cluster.v3.Cluster", locator: cdsResourcesLocator };
  const resources: DynamicResources = {
    ads: adsConfig && decodeAds(adsConfig, context),
    lds: decodeSource(ldsConfig, { ...listeners, nodeParams }, context),
    cds: decodeSource(cdsConfig, { ...clusters, nodeParams }, context),
    nodeParams,
  };
  for (const kind of ["lds", "cds"] as const)
    if (resources[kind]?.kind === "ads" && !resources.ads)
      context.refuse(`dynamic_resources.${kind}_config names ads, but there is no ads_config`);
  return resources;
}

interface LocatorRules extends Pick<CollectionRules, "type"> {
  readonly locator: string;
  readonly nodeParams: ReadonlyMap<string, string>;
}

function decodeSource(
  message: SourceMessage | undefined,
  { type, locator, nodeParams }: LocatorRules,
  context: DecodeContext,
): CollectionSource | undefined {
  const source = message && decodeConfigSource(message, context);
  const collection = decodeCollection(locator, { type, source }, context);
  return source && { ...source, collection: collectionOfNode(collection, nodeParams) };
}

/** One stream of all types: nothing that is polled. */
function decodeAds(message: ApiMessage, context: DecodeContext): GrpcApiSource | undefined {
  const source = decodeApiConfigSource(message, context);
  if (source.apiType !== "rest") return source;
  context.refuse("ads_config.api_type must be GRPC or DELTA_GRPC");
  return undefined;
}
