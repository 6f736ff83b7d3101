/**
 * The bootstrap of a proxy that gets its listeners by ADS: one static cluster that listens to nobody, for
 * routes to name. Stats are flushed every five minutes, so that no flush falls into what is measured.
 */
export interface PushSource {
  readonly node: string;
  /** `host:port` of the control plane. */
  readonly xdsAddress: string;
  readonly isDelta: boolean;
}

export function pushBootstrap({ node, xdsAddress, isDelta }: PushSource): object {
  const [host = "", port = ""] = xdsAddress.split(":");
  const fromAds = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: node, cluster: "bench" },
    admin: { address: socketAddress("127.0.0.1", 0) },
    stats_flush_interval: "299s",
    dynamic_resources: {
      ads_config: {
        api_type: isDelta ? "DELTA_GRPC" : "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control-plane" } }],
      },
      lds_config: fromAds,
    },
    static_resources: {
      clusters: [cluster("backend", "127.0.0.1", 1), cluster("control-plane", host, Number(port))],
    },
  };
}

function cluster(name: string, host: string, port: number): object {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(host, port) } }] }],
    },
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

function socketAddress(address: string, portValue: number): object {
  return { socket_address: { address, port_value: portValue } };
}
