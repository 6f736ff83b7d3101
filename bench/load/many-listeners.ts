/**
 * Listeners as a control plane would push them by the thousand, two filter chains and some 2 KiB each, in
 * proto3 JSON. Every one has a loopback address of its own, so that no ephemeral port is in the way.
 */
const typeUrl = (name: string): string => `type.googleapis.com/envoy.${name}`;
const listenPort = 10_001;

/** `mark` is in one route of it: two listeners that differ in it alone are an update of one chain. */
export function manyListener(index: number, mark: string): object {
  const address = `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  return {
    name: `listener-${index}`,
    address: socketAddress(address, listenPort),
    filter_chains: ["one", "two"].map((chain, at) => ({
      name: chain,
      filter_chain_match: {
        source_prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: at }],
      },
      filters: [
        {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: connectionManager(`in-${index}`, `${chain}-${mark}`),
        },
      ],
    })),
  };
}

function connectionManager(statPrefix: string, mark: string): object {
  const route = (prefix: string) => ({
    match: { prefix },
    route: { cluster: "backend", timeout: "15s" },
    request_headers_to_add: [{ header: { key: "x-mark", value: mark } }],
  });
  return {
    "@type": typeUrl("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: statPrefix,
    route_config: {
      name: `routes-${statPrefix}`,
      virtual_hosts: [
        {
          name: "all",
          domains: [`${statPrefix}.example`, "*"],
          routes: [route("/api/"), route("/")],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": typeUrl("extensions.filters.http.router.v3.Router") },
      },
    ],
    access_log: [
      {
        name: "envoy.access_loggers.file",
        typed_config: {
          "@type": typeUrl("extensions.access_loggers.file.v3.FileAccessLog"),
          path: "/dev/null",
          log_format: { text_format_source: { inline_string: accessLogFormat } },
        },
      },
    ],
  };
}

const accessLogFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% ' +
  '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%"\n';

/** One static cluster that listens to nobody, and everything else by ADS. */
export function adsBootstrap(xdsPort: number): object {
  const fromAds = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: "bench", cluster: "bench" },
    admin: { address: socketAddress("127.0.0.1", 0) },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control-plane" } }],
      },
      lds_config: fromAds,
    },
    static_resources: { clusters: [cluster("backend", 1), cluster("control-plane", xdsPort)] },
  };
}

function cluster(name: string, port: number): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress("127.0.0.1", port) } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": typeUrl("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

function socketAddress(address: string, portValue: number): object {
  return { socket_address: { address, port_value: portValue } };
}
