/** Route configurations, inline or by RDS: `envoy.config.route.v3.RouteConfiguration`. */
import type { RouteConfiguration, Vhds } from "../../../gen/es/envoy/config/route/v3/route_pb.d.ts";
import type { VirtualHost as VirtualHostMessage } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { RouteConfig, VirtualHost } from "../../shared/config/route-config.ts";
import type { ConfigSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import { feedDependency, onDemandClustersOf } from "./on-demand-clusters.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { DecodedRouteConfig } from "./decoded-route-config.ts";
import type { DecodedVirtualHost } from "./decoded-virtual-host.ts";
import { decodePerFilterConfigs } from "./per-filter-config.ts";
import { decodeBothMutations, decodeVirtualHost } from "./virtual-hosts.ts";

/** Docs: `max_direct_response_body_size_bytes`, "defaults to 4096". */
const directResponseBytesMaxDefault = 4096;

export function decodeRoutes(message: RouteConfiguration, context: DecodeContext): RouteConfig {
  const directResponseBytesMax =
    message.maxDirectResponseBodySizeBytes ?? directResponseBytesMaxDefault;
  const virtualHosts = message.virtualHosts.map((host) =>
    decodeVirtualHost(host, { directResponseBytesMax }, context),
  );
  judgeDomains(message.name, virtualHosts, context);
  return {
    name: message.name,
    virtualHosts,
    ...decodeBothMutations(message, context),
    ...decodePerFilterConfigs(message.typedPerFilterConfig, context),
    ignorePortInHostMatching: message.ignorePortInHostMatching,
  };
}

/** Routes that stand in a listener. */
export function decodeInlineRoutes(
  message: RouteConfiguration,
  needs: ListenerNeeds,
  context: DecodeContext,
): RouteConfig {
  if (message.vhds) context.refuse("vhds is not supported in a listener's own routes: use rds");
  const config = decodeRoutes(message, context);
  // Docs: `validate_clusters` "defaults to true" for routes that stand in the listener.
  if (message.validateClusters ?? true) needs.requiredClusters.push(...clusterNamesOf(config));
  needs.dependencies.push(...onDemandClustersOf(config).map(feedDependency));
  return config;
}

/** A `RouteConfiguration` of RDS. */
export function decodeRouteConfig(
  message: RouteConfiguration,
  context: DecodeContext,
  bytes: Uint8Array,
): DecodedRouteConfig {
  const config = decodeRoutes(message, context);
  return {
    config,
    clusterNames: clusterNamesOf(config),
    // Docs: `validate_clusters` "defaults to false" for routes that come by RDS.
    validateClusters: message.validateClusters ?? false,
    vhds: message.vhds && decodeVhdsSource(message.vhds, context),
    bytes,
  };
}

/** A `VirtualHost` of VHDS. What its route configuration says of all virtual hosts is not known here. */
export function decodeDiscoveredHost(
  message: VirtualHostMessage,
  context: DecodeContext,
): DecodedVirtualHost {
  const defaults = { directResponseBytesMax: directResponseBytesMaxDefault };
  const host = decodeVirtualHost(message, defaults, context);
  return { host, clusterNames: clusterNamesIn([host]) };
}

/** Only delta can ask for one host more; whether ADS is delta is seen where its stream is known. */
function decodeVhdsSource(
  { configSource }: Vhds,
  context: DecodeContext,
): ConfigSource | undefined {
  const source = configSource && decodeConfigSource(configSource, context);
  const isDelta = source?.kind === "api" && source.api.apiType === "deltaGrpc";
  if (source?.kind !== "ads" && !isDelta)
    context.refuse(
      "vhds: only 'DELTA_GRPC' or 'ADS' (which uses Delta xDS) is supported as a config source.",
    );
  return source;
}

/** A domain stands in one virtual host, once, however it is written. */
function judgeDomains(
  route: string,
  virtualHosts: readonly VirtualHost[],
  context: DecodeContext,
): void {
  const seen = new Set<string>();
  for (const domain of virtualHosts.flatMap((host) => host.domains)) {
    if (!seen.has(domain)) seen.add(domain);
    else if (domain === "*")
      context.refuse(`Only a single wildcard domain is permitted in route ${route}`);
    else
      context.refuse(
        `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${route}`,
      );
  }
}

/** Clusters that routes name, each once; a cluster that a header names cannot be known. */
export function clusterNamesOf({ virtualHosts }: RouteConfig): readonly string[] {
  return clusterNamesIn(virtualHosts);
}

function clusterNamesIn(virtualHosts: readonly VirtualHost[]): readonly string[] {
  const routes = virtualHosts.flatMap((host) => host.routes);
  const names = routes.flatMap(({ action }) =>
    action.kind === "cluster" && "length" in action.clusters
      ? action.clusters.map((cluster) => cluster.name)
      : [],
  );
  return [...new Set(names)];
}
