/** The xDS client over the bootstrap's ADS cluster, and the sources that managers subscribe to. */
import { of } from "rxjs";
import { formatAddress } from "../../shared/common/address.ts";
import type { HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { EndpointSource } from "../cluster/host-source.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { RouteSource } from "../listener/rds-api.ts";
import { AdsMux } from "../xds/ads-mux.ts";
import { GrpcTransport } from "../xds/grpc-transport.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import type { XdsClient } from "../xds/xds-client.ts";
import type { ConfigDecoders } from "./config-decoders.ts";
import type { ControlPlaneParts } from "./control-plane.ts";
import { createXdsStats } from "./xds-stat-sink.ts";

/** `hostsOf`: the present hosts of a cluster, asked before each attempt to connect. */
export function openXds(
  parts: ControlPlaneParts,
  hostsOf: (cluster: string) => readonly HostConfig[],
): XdsClient | undefined {
  const { bootstrap, slabs, clock, random, loggerOf } = parts;
  const { ads } = bootstrap.dynamicResources;
  if (!ads) return undefined;
  const { clusterName } = ads.service;
  return new AdsMux({
    transport: new GrpcTransport({
      clusterName,
      endpoints: () => hostsOf(clusterName).map(grpcTarget),
    }),
    clock,
    random,
    logger: loggerOf("config"),
    stats: createXdsStats(slabs.store, slabs.stats.slab),
    node: bootstrap.node.bytes,
    setNodeOnFirstMessageOnly: ads.setNodeOnFirstMessageOnly,
  });
}

export function endpointSource(
  xds: XdsClient | undefined,
  decoders: ConfigDecoders,
): EndpointSource {
  return ({ serviceName, source, statPrefix }) =>
    xds && isAggregated(source)
      ? xds.resource$(decoders.endpoints, serviceName, subscriptionOptions(source, statPrefix))
      : of<ResourceState<LoadAssignment>>(noSource(`eds ${serviceName}`));
}

export function routeSource(xds: XdsClient | undefined, decoders: ConfigDecoders): RouteSource {
  return ({ routeConfigName, source, statPrefix }) =>
    xds && isAggregated(source)
      ? xds.resource$(decoders.routes, routeConfigName, subscriptionOptions(source, statPrefix))
      : of<ResourceState<DecodedRouteConfig>>(noSource(`rds ${routeConfigName}`));
}

/** `self` is the server that sent the resource, and there is one. */
function isAggregated(source: ConfigSource | undefined): boolean {
  return source?.kind === "ads" || source?.kind === "self";
}

function subscriptionOptions(source: ConfigSource | undefined, statPrefix: string) {
  return source
    ? { statPrefix, initialFetchTimeoutMs: source.initialFetchTimeoutMs }
    : { statPrefix };
}

/** The owner warms without it, and the reason is shown. */
function noSource(what: string): ResourceState<never> {
  return { kind: "rejected", errors: [`${what}: no xDS server serves it, want ads`] };
}

function grpcTarget({ address }: HostConfig): string {
  return address.kind === "ip" ? formatAddress(address) : `unix:${address.path}`;
}
