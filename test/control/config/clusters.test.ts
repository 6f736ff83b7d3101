import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  bytesOf,
  decodeClusterYaml,
  decoders,
  errorsOf,
  valueOf,
} from "../../support/config-tools.ts";
import { clientHttp1 } from "../../support/http1-options.ts";
import { http2Options } from "../../support/http2-options.ts";

const endpoint = (address: string): string =>
  `{endpoint: {address: {socket_address: {address: ${address}, port_value: 80}}}}`;
const assignment = (endpoints: string): string =>
  `load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [${endpoints}]}]}`;

test("decode() fills in Envoy's defaults", () => {
  const decoded = valueOf(decodeClusterYaml(`{name: "a:b", ${assignment(endpoint("127.0.0.1"))}}`));
  assert.deepEqual(decoded.config, {
    name: "a:b",
    statName: "a_b",
    discovery: { kind: "static" },
    lbPolicy: "roundRobin",
    choiceCount: 2,
    connectTimeoutMs: 5_000,
    perConnectionBufferLimitBytes: 1_048_576,
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    retryPolicy: undefined,
    maxResponseHeadersKb: 60,
    maxResponseHeadersCount: 100,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    preconnectRatio: 1,
    predictivePreconnectRatio: 1,
    circuitBreakers: {
      default: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
      high: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
    },
    healthyPanicThreshold: 50,
    failTrafficOnPanic: false,
    closeConnectionsOnHealthFailure: false,
    protocol: "http1",
    http1: clientHttp1(),
    http2: http2Options(),
    transportSocket: { kind: "rawBuffer" },
  });
  assert.equal(decoded.waitForWarmOnInit, true);
  assert.deepEqual(decoded.loadAssignment?.localities[0]?.endpoints, [
    {
      address: { kind: "ip", ip: "127.0.0.1", port: 80 },
      hostname: "",
      weight: 1,
      health: "healthy",
    },
  ]);
});

test("decode() reads discovery, limits, policy and protocol", () => {
  const dns = valueOf(
    decodeClusterYaml(
      `{name: a, type: STRICT_DNS, dns_refresh_rate: 2s, dns_lookup_family: V4_ONLY, lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 5}, http2_protocol_options: {}, ${assignment(endpoint("localhost"))}}`,
    ),
  );
  assert.deepEqual(dns.config.discovery, {
    kind: "strictDns",
    refreshRateMs: 2_000,
    respectTtl: false,
    lookupFamily: "v4Only",
  });
  assert.deepEqual(
    [dns.config.lbPolicy, dns.config.choiceCount, dns.config.protocol],
    ["leastRequest", 5, "http2"],
  );
  const eds = valueOf(
    decodeClusterYaml(
      "{name: a, type: EDS, eds_cluster_config: {eds_config: {ads: {}, initial_fetch_timeout: 0s}}, circuit_breakers: {thresholds: [{max_connections: 4294967295, max_requests: 7}, {priority: HIGH, max_retries: 9}]}}",
    ),
  );
  assert.deepEqual(eds.config.discovery, { kind: "eds", serviceName: "a" });
  assert.deepEqual(eds.edsSource, { kind: "ads", initialFetchTimeoutMs: 0 });
  assert.equal(eds.loadAssignment, undefined);
  assert.deepEqual(eds.config.circuitBreakers.default, {
    maxConnections: 2 ** 31 - 1,
    maxPendingRequests: 1024,
    maxRequests: 7,
    maxRetries: 3,
  });
  assert.equal(eds.config.circuitBreakers.high.maxRetries, 9);
});

test("decode() reads original destinations", () => {
  const discovery = (fields = "") =>
    valueOf(
      decodeClusterYaml(`{name: a, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED${fields}}`),
    ).config.discovery;
  const plain = { kind: "originalDst", headerName: undefined, portOverride: undefined } as const;
  assert.deepEqual(discovery(), { ...plain, cleanupIntervalMs: 5_000 });
  assert.deepEqual(
    discovery(
      ", cleanup_interval: 9223372035s, original_dst_lb_config: {use_http_header: true, upstream_port_override: 0}",
    ),
    {
      kind: "originalDst",
      cleanupIntervalMs: 9_223_372_035_000,
      headerName: "x-envoy-original-dst-host",
      portOverride: 0,
    },
  );
});

test("decode() takes the protocol of requests from where it stands", () => {
  const protocolOf = (fields: string): string =>
    valueOf(decodeClusterYaml(`{name: a, load_assignment: {cluster_name: a}, ${fields}}`)).config
      .protocol;
  const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const options = (choice: string): string =>
    `typed_extension_protocol_options: {${type}: {"@type": type.googleapis.com/${type}, ${choice}}}`;
  assert.equal(protocolOf("http2_protocol_options: {}"), "http2");
  assert.equal(protocolOf("http_protocol_options: {}"), "http1");
  assert.equal(protocolOf("protocol_selection: USE_DOWNSTREAM_PROTOCOL"), "downstream");
  assert.equal(protocolOf(options("explicit_http_config: {http_protocol_options: {}}")), "http1");
  assert.equal(protocolOf(options("use_downstream_protocol_config: {}")), "downstream");
  const tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
  const secured = `transport_socket: {name: t, typed_config: {"@type": ${tls}}}`;
  assert.equal(protocolOf(`${secured}, ${options("auto_config: {}")}`), "alpn");
});

test("decode() takes protocol options and the first load balancing policy that is built", () => {
  const types = "type.googleapis.com/envoy.extensions";
  const { config } = valueOf(
    decodeClusterYaml(
      `{name: a, load_assignment: {cluster_name: a}, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": ${types}.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}, common_http_protocol_options: {idle_timeout: 3s, max_requests_per_connection: 4}}}, load_balancing_policy: {policies: [{typed_extension_config: {name: x, typed_config: {"@type": ${types}.load_balancing_policies.maglev.v3.Maglev}}}, {typed_extension_config: {name: y, typed_config: {"@type": ${types}.load_balancing_policies.random.v3.Random}}}]}}`,
    ),
  );
  assert.deepEqual(
    [config.protocol, config.idleTimeoutMs, config.maxRequestsPerConnection, config.lbPolicy],
    ["http2", 3_000, 4, "random"],
  );
});

const withCheck = (check: string) =>
  `{name: a, ${assignment("")}, health_checks: [{timeout: 1s, interval: 2s, unhealthy_threshold: 3, healthy_threshold: 4, ${check}}]}`;

test("health checks decode with Envoy's defaults", () => {
  const { health } = valueOf(
    decodeClusterYaml(
      withCheck(
        'unhealthy_interval: 5s, http_health_check: {path: /h, request_headers_to_add: [{header: {key: X-A, value: "50%%"}}]}',
      ),
    ),
  );
  assert.deepEqual(health, {
    check: {
      timeoutMs: 1_000,
      thresholds: { unhealthy: 3, healthy: 4 },
      intervals: {
        intervalMs: 2_000,
        unhealthyMs: 5_000,
        unhealthyEdgeMs: 5_000,
        healthyEdgeMs: 2_000,
        noTrafficMs: 60_000,
        noTrafficHealthyMs: 60_000,
        initialJitterMs: 0,
        jitterMs: 0,
        jitterPercent: 0,
      },
      reuseConnection: true,
      alwaysLogFailures: false,
      altPort: undefined,
      alpnProtocols: [],
      socketLabels: undefined,
      probe: {
        kind: "http",
        method: "GET",
        path: "/h",
        host: "",
        headers: [{ name: "x-a", value: "50%" }],
        headersRemoved: [],
        payload: new Uint8Array(),
        expectedStatuses: [{ start: 200, end: 201 }],
        retriableStatuses: [],
        serviceName: undefined,
        expectedBody: [],
        bodyBytesMax: 1_024,
      },
    },
    ignoreHealthOnHostRemoval: false,
    ignoreNewHostsUntilFirstCheck: false,
  });
  const tcp = valueOf(
    decodeClusterYaml(
      withCheck('tcp_health_check: {send: {text: "00fF"}, receive: [{binary: AQ==}]}'),
    ),
  );
  assert.deepEqual(tcp.health?.check.probe, {
    kind: "tcp",
    payload: Buffer.from([0, 255]),
    expected: [new Uint8Array([1])],
  });
});

describe("decode() refuses as Envoy does", () => {
  const cases: readonly (readonly [name: string, cluster: string, error: string | RegExp])[] = [
    [
      "EDS without a source",
      "{name: a, type: EDS}",
      "cannot create an EDS cluster without an EDS config",
    ],
    [
      "an EDS source for another type",
      "{name: a, eds_cluster_config: {eds_config: {ads: {}}}}",
      "eds_cluster_config set in a non-EDS cluster",
    ],
    [
      "a name where no names are resolved",
      `{name: a, ${assignment(endpoint("localhost"))}}`,
      "malformed IP address: localhost. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'",
    ],
    [
      "a type that is not built",
      `{name: a, type: LOGICAL_DNS, ${assignment(endpoint("localhost"))}}`,
      "cluster 'a': type LOGICAL_DNS is not supported",
    ],
    [
      "an original destination by another policy",
      "{name: a, type: ORIGINAL_DST}",
      "cluster: LB policy ROUND_ROBIN is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'",
    ],
    [
      "an original destination that is known",
      `{name: a, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, ${assignment(endpoint("127.0.0.1"))}}`,
      "ORIGINAL_DST clusters must have no load assignment configured",
    ],
    [
      "a header that is not used",
      "{name: a, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {http_header_name: x-a}}",
      "ORIGINAL_DST cluster: invalid config http_header_name=x-a and use_http_header is false. Set use_http_header to true if http_header_name is desired.",
    ],
    [
      "metadata that says where to",
      "{name: a, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {metadata_key: {key: a, path: [{key: b}]}}}",
      "envoy.config.cluster.v3.Cluster.OriginalDstLbConfig.metadata_key is not supported: no metadata is kept, and bytes would go to other hosts",
    ],
    [
      "a policy that the cluster does not provide",
      "{name: a, lb_policy: CLUSTER_PROVIDED}",
      "cluster manager: cluster provided LB specified but cluster 'a' did not provide one. Check cluster documentation.",
    ],
    [
      "a policy that is not built",
      "{name: a, lb_policy: MAGLEV}",
      "cluster 'a': lb_policy MAGLEV is not supported",
    ],
    [
      "a name that is empty",
      "{connect_timeout: 1s}",
      "Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)",
    ],
    [
      "two health checks",
      withCheck(
        "tcp_health_check: {}}, {timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}",
      ),
      "cluster 'a': more than one health check is not supported",
    ],
    [
      "a payload with GET",
      withCheck("http_health_check: {path: /, send: {text: abcd}}"),
      "HTTP health check cannot specify a request payload with method 'GET'. Only methods that support a request body (POST, PUT, PATCH, OPTIONS) can be used with payload.",
    ],
    [
      "a payload that is not hexadecimal",
      withCheck('tcp_health_check: {send: {text: "0g"}}'),
      "invalid hex string '0g'",
    ],
    [
      "half a byte",
      withCheck('tcp_health_check: {receive: [{text: "0"}]}'),
      "invalid hex string '0'",
    ],
    [
      "an empty range of statuses",
      withCheck("http_health_check: {path: /, expected_statuses: [{start: 300, end: 200}]}"),
      "Invalid http expected status range: expecting start < end, but found start=300 and end=200",
    ],
    [
      "statuses that are none",
      withCheck("http_health_check: {path: /, retriable_statuses: [{start: 50, end: 700}]}"),
      "Invalid http retriable status range: expecting start >= 100, but found start=50",
    ],
    [
      "gRPC checks without HTTP/2",
      withCheck("grpc_health_check: {}"),
      "a cluster must support HTTP/2 for gRPC healthchecking",
    ],
    [
      "checks by HTTP/2",
      withCheck("http_health_check: {path: /, codec_client_type: HTTP2}"),
      /codec_client_type/,
    ],
    [
      "checks of another kind",
      withCheck("custom_health_check: {name: envoy.health_checkers.redis}"),
      /custom_health_check is not supported: built are http_health_check/,
    ],
    [
      "operators in headers of checks",
      withCheck(
        'http_health_check: {path: /, request_headers_to_add: [{header: {key: x, value: "%PROTOCOL%"}}]}',
      ),
      /command operators in 'x' are not supported/,
    ],
    [
      "a transport socket that is not built",
      '{name: a, transport_socket: {name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.starttls.v3.UpstreamStartTlsConfig}}}',
      /registered implementation for 'x' .*starttls.* built are envoy.transport_sockets.raw_buffer, envoy.transport_sockets.tls/,
    ],
  ];
  for (const [name, yaml, error] of cases) {
    test(name, () => {
      const errors = errorsOf(decodeClusterYaml(yaml));
      if (typeof error === "string") assert.deepEqual(errors, [error]);
      else assert.match(errors.join("\n"), error);
    });
  }
});

test("endpoints decode with priority, weight and health", () => {
  const bytes = bytesOf(
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    `{cluster_name: a, endpoints: [{priority: 1, load_balancing_weight: 3, locality: {region: r, zone: z}, lb_endpoints: [{health_status: DRAINING, load_balancing_weight: 5, endpoint: {hostname: h, health_check_config: {port_value: 9, hostname: hc}, address: {pipe: {path: /x}}}}]}]}`,
  );
  assert.deepEqual(valueOf(decoders.endpoints.decode(bytes)), {
    clusterName: "a",
    localities: [
      {
        priority: 1,
        weight: 3,
        region: "r",
        zone: "z",
        subZone: "",
        endpoints: [
          {
            address: { kind: "pipe", path: "/x", mode: 0 },
            hostname: "h",
            weight: 5,
            health: "draining",
            check: { address: undefined, port: 9, hostname: "hc", isDisabled: false },
          },
        ],
      },
    ],
  });
});

test("a cluster's max_stream_duration is its own", () => {
  const decoded = decodeClusterYaml(
    `{name: a, load_assignment: {cluster_name: a}, common_http_protocol_options: {max_stream_duration: 1s}}`,
  );
  assert(decoded.ok);
  assert.deepEqual(decoded.warnings, []);
  assert.equal(decoded.value.config.maxStreamDurationMs, 1_000);
});
