/**
 * Clusters on demand: `envoy.extensions.filters.http.on_demand.v3.OnDemandCds`. Where they come from travels to
 * workers and back as a text, so that whoever holds the filter or the route needs to hold nothing else.
 */
import type { OnDemandCds } from "../../../gen/es/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.d.ts";
import type { OnDemandClusters } from "../../shared/config/route-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { ConfigSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Docs: `OnDemandCds.timeout`, "if unset, defaults to 5 seconds". */
const timeoutMsDefault = 5_000;

export function decodeOnDemandClusters(
  { source: message, resourcesLocator, timeout }: OnDemandCds,
  context: DecodeContext,
): OnDemandClusters {
  if (resourcesLocator !== "")
    context.refuse("odcds.resources_locator is not supported: clusters are asked for by name");
  const source = message && decodeConfigSource(message, context);
  if (source && !mayBeDelta(source))
    context.refuse("odcds: only DELTA_GRPC or ADS (which uses Delta xDS) is supported as a source");
  return { feed: writeClusterFeed(source), timeoutMs: durationMsOr(timeout, timeoutMsDefault) };
}

function writeClusterFeed(source: ConfigSource | undefined): string {
  return source === undefined ? "" : JSON.stringify(source);
}

/** Undefined: clusters have `xdstp` names, whose authorities say where they come from. */
export function readClusterFeed(feed: string): ConfigSource | undefined {
  return feed === "" ? undefined : (JSON.parse(feed) as ConfigSource);
}

/** Only delta can ask for one cluster more. Whether ADS is delta is seen where its stream is known. */
function mayBeDelta(source: ConfigSource): boolean {
  if (source.kind !== "api") return source.kind !== "path";
  const { apiType } = source.api;
  return apiType === "deltaGrpc" || apiType === "aggregatedDeltaGrpc";
}
