/**
 * Clusters on demand: `envoy.extensions.filters.http.on_demand.v3.OnDemandCds` and `TcpProxy.OnDemand`. Where they come from travels to
 * workers and back as a text, so that whoever holds the filter or the route needs to hold nothing else.
 */
import type { ConfigSource as ConfigSourceMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { OnDemandCds } from "../../../gen/es/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.d.ts";
import type { TcpProxy_OnDemand } from "../../../gen/es/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.d.ts";
import type { OnDemandClusters, RouteConfig } from "../../shared/config/route-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { ConfigSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { ClusterFeedDependency } from "./decoded-listener.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Docs: `OnDemandCds.timeout`, "if unset, defaults to 5 seconds". */
const requestTimeoutMsDefault = 5_000;
/** Docs: `TcpProxy.OnDemand.timeout`, "defaults to 60 seconds". */
const connectionTimeoutMsDefault = 60_000;

export function decodeOnDemandClusters(
  { source, resourcesLocator, timeout }: OnDemandCds,
  context: DecodeContext,
): OnDemandClusters {
  const feed = decodeClusterFeed(source, resourcesLocator, context);
  return { feed, timeoutMs: durationMsOr(timeout, requestTimeoutMsDefault) };
}

export function decodeTcpOnDemandClusters(
  { odcdsConfig, resourcesLocator, timeout }: TcpProxy_OnDemand,
  context: DecodeContext,
): OnDemandClusters {
  const feed = decodeClusterFeed(odcdsConfig, resourcesLocator, context);
  return { feed, timeoutMs: durationMsOr(timeout, connectionTimeoutMsDefault) };
}

function decodeClusterFeed(
  message: ConfigSourceMessage | undefined,
  resourcesLocator: string,
  context: DecodeContext,
): string {
  if (resourcesLocator !== "")
    context.refuse("odcds.resources_locator is not supported: clusters are asked for by name");
  const source = message && decodeConfigSource(message, context);
  if (source && !mayBeDelta(source))
    context.refuse("odcds: only DELTA_GRPC or ADS (which uses Delta xDS) is supported as a source");
  return source === undefined ? "" : JSON.stringify(source);
}

/** A listener that may ask for clusters holds the place that they come from. */
export function feedDependency({ feed }: OnDemandClusters): ClusterFeedDependency {
  return { kind: "odcds", feed, source: readClusterFeed(feed) };
}

/** What routes say in the place of the filter's own. */
export function onDemandClustersOf({
  virtualHosts,
  onDemand,
}: RouteConfig): readonly OnDemandClusters[] {
  const routes = virtualHosts.flatMap((host) => host.routes);
  const weighted = routes.flatMap(({ action }) =>
    action.kind === "cluster" && !("header" in action.clusters) ? action.clusters : [],
  );
  const overrides = [{ onDemand }, ...virtualHosts, ...routes, ...weighted];
  return overrides.flatMap((part) =>
    (part.onDemand ?? []).flatMap(({ clusters }) => clusters ?? []),
  );
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
