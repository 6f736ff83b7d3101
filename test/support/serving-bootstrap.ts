/** A listener of HTTP, with WebSockets, and one of TCP, before an upstream of each; Envoy takes it as well. */
import { httpListener, routesTo, staticCluster } from "./truth-resources.ts";

export interface ServingPlaces {
  readonly http: number;
  readonly tcp: number;
  readonly admin: number;
  readonly upstream: { readonly http: number; readonly tcp: number };
}

/** `clusters`: what both have beside their hosts. */
export function servingBootstrap(
  { http, tcp, admin, upstream }: ServingPlaces,
  clusters: object = {},
): object {
  const routing = {
    route_config: routesTo("up"),
    upgrade_configs: [{ upgrade_type: "websocket" }],
  };
  return {
    admin: { address: loopback(admin) },
    static_resources: {
      listeners: [
        { ...httpListener("web", routing), address: loopback(http) },
        tcpListener("raw", tcp),
      ],
      clusters: [
        staticCluster("up", upstream.http, clusters),
        staticCluster("raw", upstream.tcp, clusters),
      ],
    },
  };
}

/** To the cluster of the same name. */
function tcpListener(name: string, port: number): object {
  const type = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  const proxy = { "@type": type, stat_prefix: name, cluster: name };
  const filter = { name: "envoy.filters.network.tcp_proxy", typed_config: proxy };
  return { name, address: loopback(port), filter_chains: [{ filters: [filter] }] };
}

function loopback(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
