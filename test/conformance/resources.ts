/** Listeners and the bootstrap of scenarios, in proto3 JSON with Envoy's field names. */
const typed = (name: string, fields: object): object => ({
  "@type": `type.googleapis.com/envoy.${name}`,
  ...fields,
});

export interface Place {
  readonly host: string;
  readonly port: number;
}

export function addressOf({ host, port }: Place): object {
  return { socket_address: { address: host, port_value: port } };
}

/** A chain that proxies HTTP to the upstream and marks what it answers with `tag`. */
export function httpChain(
  tag: string,
  { match, manager = {} }: { readonly match?: object; readonly manager?: object } = {},
): object {
  return {
    name: tag,
    ...(match && { filter_chain_match: match }),
    filters: [
      {
        name: "http",
        typed_config: typed(
          "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          {
            stat_prefix: "web",
            http_filters: [
              {
                name: "router",
                typed_config: typed("extensions.filters.http.router.v3.Router", {}),
              },
            ],
            ...("rds" in manager ? {} : { route_config: routesOf(tag) }),
            ...manager,
          },
        ),
      },
    ],
  };
}

/** `/hold` goes upstream, where it may wait; everything else is answered with the tag. */
function routesOf(tag: string): object {
  const answered = { status: 200, body: { inline_string: tag } };
  return {
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          { match: { prefix: "/slow" }, route: { cluster: "upstream", timeout: "0s" } },
          { match: { prefix: "/" }, direct_response: answered },
        ],
      },
    ],
  };
}

export function tcpChain(
  name: string,
  { match, proxy = {} }: { readonly match?: object; readonly proxy?: object } = {},
): object {
  return {
    name,
    ...(match && { filter_chain_match: match }),
    filters: [
      {
        name: "tcp",
        typed_config: typed("extensions.filters.network.tcp_proxy.v3.TcpProxy", {
          stat_prefix: "raw",
          cluster: "echo",
          ...proxy,
        }),
      },
    ],
  };
}

/** A listener with one chain, unless `fields` say otherwise. */
export function listener(name: string, place: Place, fields: object = {}): object {
  return {
    name,
    address: addressOf(place),
    filter_chains: [httpChain(name)],
    ...fields,
  };
}

/**
 * A namespace that Envoy passes over. Without it an idle connection that was told closes at the deadline of drains as
 * short as these, when what is left is cut: either might come first.
 */
export const shortIdleGrace = {
  metadata: { filter_metadata: { "sluice.drain": { idle_grace: "3s" } } },
};

/** Routes that never come, and that somebody waits for without end: their management server accepts connections and says nothing. */
export const silentRds = silentRdsFor("0s");

/** As that, but nobody waits for it longer than this. */
export function silentRdsFor(timeout: string): object {
  return {
    rds: {
      route_config_name: "silent",
      config_source: {
        resource_api_version: "V3",
        initial_fetch_timeout: timeout,
        api_config_source: {
          api_type: "GRPC",
          transport_api_version: "V3",
          grpc_services: [{ envoy_grpc: { cluster_name: "silent" } }],
        },
      },
    },
  };
}

export function cluster(name: string, port: number): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: addressOf({ host: "127.0.0.1", port }) } }] },
      ],
    },
  };
}

const http2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
      "extensions.upstreams.http.v3.HttpProtocolOptions",
      { explicit_http_config: { http2_protocol_options: {} } },
    ),
  },
};

export interface BootstrapParts {
  readonly ldsPath: string;
  readonly upstreams: {
    readonly upstream: number;
    readonly echo: number;
    readonly silent: number | undefined;
  };
  readonly staticListeners: readonly object[];
  /** More of the bootstrap. */
  readonly fields: object;
}

export function bootstrapOf({
  ldsPath,
  upstreams,
  staticListeners,
  fields,
}: BootstrapParts): object {
  const { upstream, echo, silent } = upstreams;
  return {
    node: { id: "conformance", cluster: "conformance" },
    admin: { address: addressOf({ host: "127.0.0.1", port: 0 }) },
    dynamic_resources: {
      lds_config: { resource_api_version: "V3", path_config_source: { path: ldsPath } },
    },
    static_resources: {
      listeners: staticListeners,
      clusters: [
        cluster("upstream", upstream),
        cluster("echo", echo),
        ...(silent === undefined ? [] : [{ ...cluster("silent", silent), ...http2 }]),
      ],
    },
    layered_runtime: { layers: [{ name: "admin", admin_layer: {} }] },
    ...fields,
  };
}
