/** Resources in proto3 JSON for tests that push them to the whole program, and a bootstrap that asks for them. */
import { adminOnPortZero } from "./sluice-program.ts";

export const fromAds = { ads: {}, resource_api_version: "V3" };

const socketAddress = (port: number): object => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});

export const assignment = (name: string, port: number): object => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
});

export function staticCluster(name: string, port: number, fields: object = {}): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: assignment(name, port),
    ...fields,
  };
}

/** A host that speaks HTTP/2, with `http2_protocol_options`, and what else is beside them. */
export function http2Cluster(
  name: string,
  port: number,
  options: object = {},
  beside: object = {},
): object {
  return staticCluster(name, port, {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: options },
        ...beside,
      },
    },
  });
}

export function edsCluster(name: string, source: object = fromAds, fields: object = {}): object {
  return {
    name,
    type: "EDS",
    connect_timeout: "1s",
    eds_cluster_config: { eds_config: source },
    ...fields,
  };
}

export const routesTo = (cluster: string, name = "routes"): object => ({
  name,
  virtual_hosts: [
    { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] },
  ],
});

/** Routes that answer by themselves. */
export const answersWith = (body: string, fields: object = {}): object => ({
  ...fields,
  virtual_hosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [
        {
          match: { prefix: "/" },
          direct_response: { status: 200, body: { inline_string: body } },
        },
      ],
    },
  ],
});

export function httpListener(name: string, routing: object, fields: object = {}): object {
  const type = "type.googleapis.com/envoy.extensions.filters";
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${type}.http.router.v3.Router` },
  };
  const manager = {
    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    http_filters: [router],
    ...routing,
  };
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return { name, address: socketAddress(0), filter_chains: [{ filters: [filter] }], ...fields };
}

/** Everything by ADS from `controlPlane` (`127.0.0.1:18000`), whose cluster is called `control`. */
export function dynamicBootstrap(controlPlane: string, apiType = "GRPC"): object {
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const port = Number(controlPlane.split(":").at(-1));
  return {
    node: { id: "n", cluster: "c" },
    admin: adminOnPortZero,
    dynamic_resources: {
      lds_config: fromAds,
      cds_config: fromAds,
      ads_config: {
        api_type: apiType,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control" } }],
      },
    },
    static_resources: {
      clusters: [
        staticCluster("control", port, {
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
          },
        }),
      ],
    },
  };
}
