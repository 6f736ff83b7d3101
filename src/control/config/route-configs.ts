/** Route configurations, inline or by RDS: `envoy.config.route.v3.RouteConfiguration`. */
import type { RouteConfiguration } from "../../../gen/es/envoy/config/route/v3/route_pb.d.ts";
import type { RouteConfig, VirtualHost } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { judgePerFilterConfigs } from "./per-filter-config.ts";
import { decodeBothMutations, decodeVirtualHost } from "./virtual-hosts.ts";

/** Docs: `max_direct_response_body_size_bytes`, "defaults to 4096". */
const directResponseBytesMaxDefault = 4096;

export function decodeRoutes(message: RouteConfiguration, context: DecodeContext): RouteConfig {
  const directResponseBytesMax =
    message.maxDirectResponseBodySizeBytes ?? directResponseBytesMaxDefault;
  judgePerFilterConfigs(message.typedPerFilterConfig, context);
  const virtualHosts = message.virtualHosts.map((host) =>
    decodeVirtualHost(host, { directResponseBytesMax }, context),
  );
  judgeDomains(message.name, virtualHosts, context);
  return {
    name: message.name,
    virtualHosts,
    ...decodeBothMutations(message, context),
    ignorePortInHostMatching: message.ignorePortInHostMatching,
  };
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
  const routes = virtualHosts.flatMap((host) => host.routes);
  const names = routes.flatMap(({ action }) =>
    action.kind === "cluster" && "length" in action.clusters
      ? action.clusters.map((cluster) => cluster.name)
      : [],
  );
  return [...new Set(names)];
}
