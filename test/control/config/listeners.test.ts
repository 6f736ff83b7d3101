import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeListenerYaml,
  decoders,
  errorsOf,
  listenerYaml,
  managerYaml,
  routerYaml,
  routesYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";

const toCluster = routesYaml("{match: {prefix: /}, route: {cluster: c}}");
const chain = (filter: string): string => `filter_chains: [{filters: [${filter}]}]`;

test("decode() fills in Envoy's defaults", () => {
  const { config, dependencies, requiredClusters } = valueOf(
    decodeListenerYaml(listenerYaml(chain(tcpProxyYaml()))),
  );
  assert.deepEqual(dependencies, []);
  assert.deepEqual(requiredClusters, []);
  const { filterChains, ...rest } = config;
  assert.deepEqual(rest, {
    name: "edge",
    addresses: [{ kind: "ip", ip: "127.0.0.1", port: 8080 }],
    statPrefix: "",
    defaultFilterChain: undefined,
    chainMatcher: undefined,
    listenerFilters: [],
    handsOffRestored: false,
    listenerFiltersTimeoutMs: 15_000,
    continueOnListenerFiltersTimeout: false,
    perConnectionBufferLimitBytes: 1_048_576,
    drainType: "default",
    drainPolicy: {},
    trafficDirection: "unspecified",
    bindToPort: true,
    enableReusePort: false,
    tcpBacklogSize: 65_535,
    acceptsPerEventMax: 1_000,
    ignoreGlobalConnLimit: false,
    bypassOverloadManager: false,
    carriesTraffic: true,
    accessLog: [],
    addressOptions: [{ socketOptions: [], keepAlive: undefined, ipv4Compat: false }],
    freebind: false,
    transparent: false,
  });
  assert.deepEqual(filterChains[0]?.filters, [
    {
      kind: "tcpProxy",
      config: {
        statPrefix: "raw",
        clusters: [{ name: "c", weight: 1 }],
        idleTimeoutMs: 3_600_000,
        maxConnectAttempts: 1,
        maxDownstreamConnectionDurationMs: 0,
        checkDrainClose: false,
        onDemand: undefined,
        accessLog: [],
      },
    },
  ]);
});

test("decode() gives each address its socket options and keep-alive", () => {
  const address = (port: number): string =>
    `address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
  const option = (name: number, rest: string): string => `{level: 1, name: ${name}, ${rest}}`;
  const { config } = valueOf(
    decodeListenerYaml(`
      name: a
      ${address(80)}
      filter_chains: [{}]
      socket_options:
      - ${option(7, "int_value: 4, state: STATE_BOUND")}
      - ${option(8, "buf_value: AQI=, type: {stream: {}}")}
      - ${option(9, "int_value: 1, type: {datagram: {}}")}
      tcp_keepalive: {keepalive_time: 60}
      additional_addresses:
      - ${address(81)}
      - {${address(82)}, socket_options: {}, tcp_keepalive: {keepalive_probes: 0}}
      - {${address(83)}, socket_options: {socket_options: [${option(5, "int_value: 2")}]}, tcp_keepalive: {keepalive_interval: 9}}
    `),
  );
  const socketOptions = [
    { level: 1, name: 7, value: { int: 4 }, state: "bound" },
    { level: 1, name: 8, value: { bytes: new Uint8Array([1, 2]) }, state: "prebind" },
  ];
  const keepAlive = { probes: undefined, timeS: 60, intervalS: undefined };
  const ipv4Compat = false;
  assert.deepEqual(config.addressOptions, [
    { socketOptions, keepAlive, ipv4Compat },
    { socketOptions, keepAlive, ipv4Compat },
    { socketOptions: [], keepAlive: undefined, ipv4Compat },
    {
      socketOptions: [{ level: 1, name: 5, value: { int: 2 }, state: "prebind" }],
      keepAlive: { probes: undefined, timeS: undefined, intervalS: 9 },
      ipv4Compat,
    },
  ]);
});

test("TCP fast open is an option of every address, ipv4_compat is each address's own", () => {
  const any = (settings: string): string =>
    `address: {socket_address: {address: "::", port_value: 81${settings}}}`;
  const { config } = valueOf(
    decodeListenerYaml(`
      name: l
      ${any(", ipv4_compat: true")}
      additional_addresses: [{${any("")}, socket_options: {}}]
      tcp_fast_open_queue_length: 9
      connection_balance_config: {exact_balance: {}}
      filter_chains: [{filters: [${tcpProxyYaml()}]}]
    `),
  );
  const fastOpen = { level: 6, name: 23, value: { int: 9 }, state: "listening" };
  assert.deepEqual(
    config.addressOptions.map(({ socketOptions, ipv4Compat }) => [socketOptions, ipv4Compat]),
    [
      [[fastOpen], true],
      [[fastOpen], false],
    ],
  );
});

for (const ip of ["127.0.0.1", "::1"])
  test(`ipv4_compat is refused on ${ip}, in Envoy's words`, () => {
    const printed = ip.includes(":") ? `[${ip}]` : ip;
    const address = `address: {socket_address: {address: "${ip}", port_value: 81, ipv4_compat: true}}`;
    const listener = `{name: l, ${address}, filter_chains: [{filters: [${tcpProxyYaml()}]}]}`;
    assert.deepEqual(errorsOf(decodeListenerYaml(listener)), [
      `Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set ipv4_compat: ${printed}:81`,
    ]);
  });

test("a connection balancer of another kind is refused by name", () => {
  const extend =
    'extend_balance: {name: dlb, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}';
  const errors = errorsOf(
    decodeListenerYaml(
      listenerYaml(
        `connection_balance_config: {${extend}}, filter_chains: [{filters: [${tcpProxyYaml()}]}]`,
      ),
    ),
  );
  assert.match(errors.join(), /ConnectionBalanceConfig\.extend_balance is not supported/);
});

test("decode() names the route configurations and clusters that the listener waits for", () => {
  const rds = managerYaml("rds: {route_config_name: web, config_source: {ads: {}}}");
  const inline = managerYaml(`route_config: ${toCluster}`);
  const decoded = valueOf(
    decodeListenerYaml(
      listenerYaml(
        `filter_chains: [{filters: [${rds}]}, {filter_chain_match: {destination_port: 1}, filters: [${rds}]}], default_filter_chain: {filters: [${inline}]}`,
      ),
    ),
  );
  assert.deepEqual(decoded.dependencies, [
    {
      kind: "rds",
      routeConfigName: "web",
      statPrefix: "web",
      source: { kind: "ads", initialFetchTimeoutMs: 15_000 },
    },
  ]);
  assert.deepEqual(decoded.requiredClusters, ["c"]);
});

test("decode() requires no clusters of routes with validate_clusters off", () => {
  const routes = routesYaml(
    "{match: {prefix: /}, route: {cluster: c}}",
    ", validate_clusters: false",
  );
  const decoded = valueOf(
    decodeListenerYaml(listenerYaml(chain(managerYaml(`route_config: ${routes}`)))),
  );
  assert.deepEqual(decoded.requiredClusters, []);
});

test("decode() reads the drain policy from metadata", () => {
  const policy = (text: string): string =>
    listenerYaml(`${chain(tcpProxyYaml())}, metadata: {filter_metadata: {sluice.drain: ${text}}}`);
  const text =
    "{time: 30s, strategy: immediate, idle: keep, idle_grace: 0.5s, streams: finish, tcp: keep}";
  assert.deepEqual(valueOf(decodeListenerYaml(policy(text))).config.drainPolicy, {
    timeMs: 30_000,
    strategy: "immediate",
    idle: "keep",
    idleGraceMs: 500,
    streams: "finish",
    tcp: "keep",
  });
  assert.deepEqual(valueOf(decodeListenerYaml(policy("{}"))).config.drainPolicy, {});
  assert.match(
    errorsOf(decodeListenerYaml(policy("{tiem: 3s}")))[0] ?? "",
    /sluice.drain.*no such field: 'tiem'/,
  );
  assert.match(errorsOf(decodeListenerYaml(policy("{streams: KEEP}")))[0] ?? "", / @ streams: /);
});

describe("decode() refuses as Envoy does", () => {
  const manager = (filters: string): string =>
    listenerYaml(chain(managerYaml("route_config: {name: r}", filters)));
  const type = (name: string): string => `typed_config: {"@type": type.googleapis.com/${name}}`;
  const cases: readonly (readonly [name: string, listener: string, error: string])[] = [
    [
      "no address",
      "{name: a, filter_chains: [{}]}",
      "error adding listener named 'a': address is necessary",
    ],
    [
      "no filter chains",
      listenerYaml("traffic_direction: INBOUND"),
      "error adding listener '127.0.0.1:8080': no filter chains specified",
    ],
    [
      "a host name for an address",
      "{name: a, address: {socket_address: {address: localhost, port_value: 80}}, filter_chains: [{}]}",
      "malformed IP address: localhost",
    ],
    [
      "a filter without configuration",
      listenerYaml(chain("{name: x}")),
      "Didn't find a registered implementation for 'x' with type URL: '' (network filter: built are envoy.filters.network.tcp_proxy, envoy.filters.network.http_connection_manager, istio.stats, istio.metadata_exchange)",
    ],
    [
      "a type that is no network filter",
      listenerYaml(chain(`{name: x, ${type("envoy.config.cluster.v3.Cluster")}}`)),
      "Didn't find a registered implementation for 'x' with type URL: 'envoy.config.cluster.v3.Cluster' (network filter: built are envoy.filters.network.tcp_proxy, envoy.filters.network.http_connection_manager, istio.stats, istio.metadata_exchange)",
    ],
    [
      "an upgrade whose filters do not end with a router",
      listenerYaml(
        chain(
          managerYaml(
            `route_config: {name: r}, upgrade_configs: [{upgrade_type: a, filters: [{name: m, ${type("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation")}}]}]`,
          ),
        ),
      ),
      "Error: non-terminal filter named m of type envoy.filters.http.header_mutation is the last filter in a http upgrade filter chain.",
    ],
    [
      "a codec that is not built",
      listenerYaml(chain(managerYaml("codec_type: HTTP3, route_config: {name: r}"))),
      "codec_type HTTP3 is not built",
    ],
    [
      "a transport socket that is not built",
      listenerYaml(
        `filter_chains: [{transport_socket: {name: x, ${type("envoy.extensions.transport_sockets.alts.v3.Alts")}}}]`,
      ),
      "Didn't find a registered implementation for 'x' with type URL: 'envoy.extensions.transport_sockets.alts.v3.Alts' (transport socket: built are envoy.transport_sockets.raw_buffer, envoy.transport_sockets.tls)",
    ],
    [
      "a listener filter that is not built",
      listenerYaml(
        `filter_chains: [{}], listener_filters: [{name: x, ${type("envoy.config.cluster.v3.Cluster")}}]`,
      ),
      "Didn't find a registered implementation for 'x' with type URL: 'envoy.config.cluster.v3.Cluster' (listener filter: built are envoy.filters.listener.original_src, envoy.filters.listener.local_ratelimit, envoy.filters.listener.tls_inspector, envoy.filters.listener.http_inspector, envoy.filters.listener.original_dst, envoy.filters.listener.proxy_protocol)",
    ],
    [
      "the client's address for requests, which share connections",
      listenerYaml(
        `${chain(managerYaml("route_config: {}"))}, listener_filters: [{name: x, ${type("envoy.extensions.filters.listener.original_src.v3.OriginalSrc")}}]`,
      ),
      "error adding listener '127.0.0.1:8080': original_src is supported for tcp_proxy alone: pools of HTTP share their connections",
    ],
    [
      "a rate that fills too often",
      listenerYaml(
        `filter_chains: [{}], listener_filters: [{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit, stat_prefix: x, token_bucket: {max_tokens: 1, fill_interval: 0.01s}}}]`,
      ),
      "local rate limit token bucket fill timer must be >= 50ms",
    ],
    [
      "an access log filter that is not built",
      listenerYaml(
        `filter_chains: [{}], access_log: [{name: f, filter: {extension_filter: {name: cel, ${type("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter")}}}, ${type("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog")}}]`,
      ),
      "Didn't find a registered implementation for 'cel' with type URL: 'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter' (access log filter: none is built)",
    ],
    [
      "two chains with the same match",
      listenerYaml("filter_chains: [{}, {}]"),
      "error adding listener '127.0.0.1:8080': filter chain '' has the same matching rules defined as ''. duplicate matcher is: {}",
    ],
    [
      "overlapping chains",
      listenerYaml(
        "filter_chains: [{filter_chain_match: {server_names: [a, b]}}, {filter_chain_match: {server_names: [b]}}]",
      ),
      "error adding listener '127.0.0.1:8080': multiple filter chains with overlapping matching rules are defined",
    ],
    [
      "two spellings of one network",
      listenerYaml(
        "filter_chains: [{filter_chain_match: {prefix_ranges: [{address_prefix: 10.0.0.1, prefix_len: 8}, {address_prefix: '::', prefix_len: 1}]}}, {filter_chain_match: {prefix_ranges: [{address_prefix: 10.9.9.9, prefix_len: 8}]}}]",
      ),
      "error adding listener '127.0.0.1:8080': multiple filter chains with overlapping matching rules are defined",
    ],
    [
      "a value twice in one chain",
      listenerYaml("filter_chains: [{filter_chain_match: {source_ports: [1, 1]}}]"),
      "error adding listener '127.0.0.1:8080': multiple filter chains with overlapping matching rules are defined",
    ],
    [
      "a wildcard within a server name",
      listenerYaml("filter_chains: [{filter_chain_match: {server_names: ['a*.com']}}]"),
      `error adding listener '127.0.0.1:8080': partial wildcards are not supported in "server_names"`,
    ],
    [
      "a terminal network filter that is not last",
      listenerYaml(chain(`${tcpProxyYaml()}, ${tcpProxyYaml()}`)),
      "Error: terminal filter named tcp of type envoy.filters.network.tcp_proxy must be the last filter in a network filter chain.",
    ],
    [
      "a terminal HTTP filter that is not last",
      manager(`${routerYaml}, ${routerYaml}`),
      "Error: terminal filter named envoy.filters.http.router of type envoy.filters.http.router must be the last filter in a http filter chain.",
    ],
    [
      "a connection manager without routes",
      listenerYaml(chain(managerYaml(""))),
      'Proto constraint validation failed (field: "route_specifier", reason: is required)',
    ],
    [
      "a TCP proxy without a cluster",
      listenerYaml(chain(tcpProxyYaml(""))),
      'Proto constraint validation failed (field: "cluster_specifier", reason: is required)',
    ],
    [
      "a port above 65535",
      "{name: a, address: {socket_address: {address: 127.0.0.1, port_value: 70000}}}",
      "Proto constraint validation failed (ListenerValidationError.Address: embedded message failed validation | caused by AddressValidationError.SocketAddress: embedded message failed validation | caused by SocketAddressValidationError.PortValue: value must be less than or equal to 65535)",
    ],
  ];
  for (const [name, yaml, error] of cases)
    test(name, () => assert.deepEqual(errorsOf(decodeListenerYaml(yaml)), [error]));
});

test("decode() names a listener without a name by its bytes, as LDS does", () => {
  const yaml = (port: number): string =>
    `{address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}, ${chain(tcpProxyYaml())}}`;
  const names = [1, 2, 1].map((port) => {
    const { bytes } = valueOf(decodeListenerYaml(yaml(port)));
    // The second and the third have a filter chain that was read before.
    const result = decoders.listeners.decode(bytes);
    assert(result.ok);
    const { config, facts } = result.value;
    assert.equal(decoders.listeners.nameOfUnnamed?.(bytes), facts.name);
    assert.equal(config.name, facts.name);
    return facts.name;
  });
  for (const name of names)
    assert.match(name, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(names).size, 2);
  assert.equal(names[0], names[2]);
});

test("decode() tells all errors of a listener at once", () => {
  const errors = errorsOf(
    decodeListenerYaml(
      `{name: a, internal_listener: {}, filter_chains: [{filters: [{name: x}]}, {filters: [${tcpProxyYaml()}, ${tcpProxyYaml()}]}]}`,
    ),
  );
  assert.equal(errors.length, 5);
  assert.match(
    errors.join("\n"),
    /internal_listener is not supported[^]*address is necessary[^]*'x'[^]*terminal filter[^]*same matching/,
  );
});

test("decode() accepts Istio's filters without effect, bare and in a TypedStruct, and says why", () => {
  const struct =
    '{"@type": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange, value: {protocol: istio}}';
  const result = decodeListenerYaml(
    listenerYaml(
      chain(`{name: istio.metadata_exchange, typed_config: ${struct}}, ${tcpProxyYaml()}`),
    ),
  );
  assert.deepEqual(valueOf(result).config.filterChains[0]?.filters[0], {
    kind: "noop",
    name: "istio.metadata_exchange",
  });
  assert(result.ok);
  assert.deepEqual(
    result.warnings.map((warning) => warning.field),
    ["envoy.tcp.metadataexchange.config.MetadataExchange"],
  );
});

test("decode() reads ordinary types out of a TypedStruct", () => {
  const proxy = (value: string): string =>
    `{name: tcp, typed_config: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, value: ${value}}}`;
  const good = valueOf(
    decodeListenerYaml(listenerYaml(chain(proxy("{stat_prefix: s, cluster: c, idleTimeout: 2s}")))),
  );
  const [filter] = good.config.filterChains[0]?.filters ?? [];
  assert.equal(filter?.kind === "tcpProxy" && filter.config.idleTimeoutMs, 2_000);
  const bad = decodeListenerYaml(
    listenerYaml(chain(proxy("{stat_prefix: s, cluster: c, nope: 1}"))),
  );
  assert.match(errorsOf(bad)[0] ?? "", /TcpProxy: no such field: 'nope'/);
});
