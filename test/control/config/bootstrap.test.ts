import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import { decodeBootstrap } from "../../../src/control/config/bootstrap.ts";
import {
  configTools,
  errorsOf,
  listenerYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";

const noFlags = { id: "", cluster: "", zone: "" };
const decode = (text: string, yaml = "", node = noFlags) =>
  decodeBootstrap(configTools, { text, yaml, node });

const ads =
  "ads_config: {api_type: GRPC, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{envoy_grpc: {cluster_name: xds, authority: x}, initial_metadata: [{key: a, value: b}]}]}";

test("decodeBootstrap() reads a whole bootstrap", () => {
  const config = valueOf(
    decode(`
      node: {id: n, cluster: c, locality: {zone: z}}
      admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}, allow_paths: [{prefix: /stats}], profile_path: /tmp/p}
      static_resources:
        listeners: [${listenerYaml(`filter_chains: [{filters: [${tcpProxyYaml()}]}]`)}]
        clusters: [{name: c, load_assignment: {cluster_name: c}}]
      dynamic_resources:
        lds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
        cds_config: {path_config_source: {path: /x/cds.yaml, watched_directory: {path: /x}}}
        ${ads}
      cluster_manager: {local_cluster_name: c}
      layered_runtime:
        layers:
        - {name: base, static_layer: {a: {b: 1, c: "x"}, d: true, e: {numerator: 5, denominator: TEN_THOUSAND}, f.g: 2}}
        - {name: admin, admin_layer: {}}
      stats_flush_interval: 2s
    `),
  );
  assert.deepEqual([config.node.id, config.node.cluster, config.node.zone], ["n", "c", "z"]);
  assert.deepEqual(config.admin, {
    address: { kind: "ip", ip: "127.0.0.1", port: 9901 },
    accessLog: [],
    allowPaths: [{ kind: "prefix", value: "/stats", ignoreCase: false }],
    profilePath: "/tmp/p",
    ignoreGlobalConnLimit: false,
  });
  assert.deepEqual(
    config.staticListeners.map((one) => one.config.name),
    ["edge"],
  );
  assert.deepEqual(
    config.staticClusters.map((one) => one.config.name),
    ["c"],
  );
  assert.deepEqual(config.dynamicResources, {
    ads: {
      apiType: "grpc",
      setNodeOnFirstMessageOnly: true,
      services: [
        {
          target: { kind: "cluster", clusterName: "xds" },
          authority: "x",
          initialMetadata: [{ key: "a", value: "b" }],
          timeoutMs: 0,
        },
      ],
      rateLimit: undefined,
      backoff: undefined,
    },
    lds: { kind: "ads", initialFetchTimeoutMs: 0, collection: undefined },
    cds: {
      kind: "path",
      path: "/x/cds.yaml",
      watchedDirectory: "/x",
      collection: undefined,
      initialFetchTimeoutMs: 15_000,
    },
    nodeParams: new Map(),
  });
  assert.deepEqual(config.runtimeLayers, [
    {
      name: "base",
      kind: "static",
      values: new Map([
        ["a.b", { text: "1", number: 1 }],
        ["a.c", { text: "x" }],
        ["d", { text: "true", number: true }],
        [
          "e",
          {
            text: '{"numerator":5,"denominator":"TEN_THOUSAND"}',
            number: { millionths: 500 },
          },
        ],
        ["f.g", { text: "2", number: 2 }],
      ]),
    },
    { name: "admin", kind: "admin" },
  ]);
  assert.equal(config.statsFlushIntervalMs, 2_000);
  assert.equal(config.headerPrefix, "x-envoy");
});

test("--config-yaml is merged over the file, and flags win over the node", () => {
  const config = valueOf(
    decode(
      "{node: {id: file, cluster: file}, stats_flush_interval: 2s}",
      "{node: {cluster: yaml}, stats_flush_interval: 3s}",
      { id: "flag", cluster: "", zone: "flagzone" },
    ),
  );
  assert.deepEqual(
    [config.node.id, config.node.cluster, config.node.zone, config.statsFlushIntervalMs],
    ["flag", "yaml", "flagzone", 3_000],
  );
  const node = fromBinary(
    configTools.protos.schema<Node>("envoy.config.core.v3.Node"),
    config.node.bytes,
  );
  assert.deepEqual(
    [node.id, node.userAgentName, node.locality?.zone],
    ["flag", "envoy", "flagzone"],
  );
});

describe("decodeBootstrap() refuses", () => {
  const cases: readonly (readonly [name: string, text: string, ...errors: string[]])[] = [
    [
      "a broken rule, in Envoy's words",
      "{admin: {address: {}}}",
      'Proto constraint validation failed (BootstrapValidationError.Admin: embedded message failed validation | caused by AdminValidationError.Address: embedded message failed validation | caused by field: "address", reason: is required)',
    ],
    [
      "two clusters of one name",
      "{static_resources: {clusters: [{name: a, load_assignment: {cluster_name: a}}, {name: a}]}}",
      "cluster manager: duplicate cluster 'a'",
    ],
    [
      "two listeners of one name",
      `{static_resources: {listeners: [${listenerYaml("filter_chains: [{}]")}, ${listenerYaml("filter_chains: [{}]")}]}}`,
      "static_resources.listeners: duplicate listener edge found",
    ],
    [
      "errors of several resources, each by its name",
      `{static_resources: {listeners: [${listenerYaml("filter_chains: [{filters: [{name: x}]}]")}, {name: b}], clusters: [{name: c, type: EDS}]}}`,
      "listener 'edge': Didn't find a registered implementation for 'x' with type URL: '' (network filter: built are envoy.filters.network.tcp_proxy, envoy.filters.network.http_connection_manager, istio.stats, istio.metadata_exchange)",
      "error adding listener named 'b': address is necessary",
      "error adding listener 'b': no filter chains specified",
      "cluster 'c': cannot create an EDS cluster without an EDS config",
    ],
    [
      "gRPC without a node",
      `{dynamic_resources: {${ads}}}`,
      "node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options.",
    ],
    [
      "ads without ads_config",
      "{dynamic_resources: {lds_config: {ads: {}}}}",
      "dynamic_resources.lds_config names ads, but there is no ads_config",
    ],
    [
      "REST without a delay",
      "{node: {id: a, cluster: b}, dynamic_resources: {lds_config: {api_config_source: {api_type: REST, cluster_names: [c]}}}}",
      "refresh_delay is required for REST API configuration sources",
    ],
    [
      "REST for all types",
      "{node: {id: a, cluster: b}, dynamic_resources: {ads_config: {api_type: REST, refresh_delay: 1s, cluster_names: [c, d]}}}",
      "ApiConfigSource of type REST must have a single cluster name specified",
      "ads_config.api_type must be GRPC or DELTA_GRPC",
    ],
    [
      "gRPC without a service",
      "{node: {id: a, cluster: b}, dynamic_resources: {ads_config: {api_type: DELTA_GRPC}}}",
      "API configs must have either a gRPC service or a cluster name defined",
    ],
    [
      "credentials of Google's, by name",
      "{node: {id: a, cluster: b}, dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: [{google_grpc: {target_uri: x, stat_prefix: x, channel_credentials: {google_default: {}}}}]}}}",
      "envoy.config.core.v3.GrpcService.GoogleGrpc.ChannelCredentials.google_default is not supported: credentials of Google's are not built",
    ],
    [
      "a token in plain text, and others than tokens",
      "{node: {id: a, cluster: b}, dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: [{google_grpc: {target_uri: x, stat_prefix: x, call_credentials: [{access_token: t}, {google_compute_engine: {}}]}}]}}}",
      "envoy.config.core.v3.GrpcService.GoogleGrpc.CallCredentials.google_compute_engine is not supported: of call credentials only access_token is built",
      "call_credentials: access_token is sent over ssl_credentials alone",
    ],
    [
      "metadata that are no headers",
      "{node: {id: a, cluster: b}, dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}, initial_metadata: [{key: 'A b', value: x}, {key: c, value: '%REQ(x)%'}]}]}}}",
      "initial_metadata: 'A b' is not a name of a text header in lower case",
      "initial_metadata: command operators in 'c' are not supported",
    ],
    [
      "runtime layers of one name",
      "{layered_runtime: {layers: [{name: a, static_layer: {}}, {name: a, static_layer: {}}]}}",
      "Duplicate layer name: a",
    ],
    ["nothing at all", "", "the bootstrap is empty"],
  ];
  for (const [name, text, ...errors] of cases)
    test(name, () => assert.deepEqual(errorsOf(decode(text)), errors));
});

test("fields that have no effect are warned of, once each", () => {
  const result = decode("{stats_config: {}, flags_path: x, tracing: {}}");
  assert(result.ok);
  assert.deepEqual(
    result.warnings.map((warning) => warning.field.split(".").at(-1)),
    ["flags_path", "stats_config", "tracing"],
  );
});

test("unknown fields are warned of where the command line allows them", () => {
  const source = { yaml: "", node: noFlags, allowUnknownFields: true };
  const result = decodeBootstrap(configTools, {
    ...source,
    text: "{admin: {nope: 1}, header_prefix: x}",
  });
  assert(result.ok);
  assert.equal(result.value.headerPrefix, "x");
  assert.match(result.warnings[0]?.field ?? "", /@ admin: .*no such field: 'nope'/);
  const wrong = decodeBootstrap(configTools, {
    ...source,
    text: "{admin: {nope: 1}, node: {id: 5}}",
  });
  assert.match(errorsOf(wrong).join(), /^invalid JSON .* @ node.id: string: /);
});

describe("load_stats_config", () => {
  const decodeLoadStats = (config: string) =>
    decode(
      `{static_resources: {clusters: [{name: lrs, load_assignment: {cluster_name: lrs}, http2_protocol_options: {}}]}, cluster_manager: {load_stats_config: {transport_api_version: V3, ${config}}}}`,
    );
  const grpc = (cluster: string): string =>
    `api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: ${cluster}}}]`;

  test("names the server of load reports, whose cluster speaks gRPC", () => {
    const result = decodeLoadStats(grpc("lrs"));
    const { loadStats } = valueOf(result);
    assert.deepEqual(loadStats?.services[0]?.target, { kind: "cluster", clusterName: "lrs" });
    assert.deepEqual(result.ok && result.warnings, []);
  });

  test("is refused where nothing could be sent", () => {
    const errors = (config: string): string => errorsOf(decodeLoadStats(config)).join();
    assert.match(errors(grpc("nope")), /load_stats_config: Unknown gRPC client cluster 'nope'/);
    const type = /load_stats_config: ApiConfigSource type must be of non-aggregated gRPC/;
    assert.match(
      errors("api_type: DELTA_GRPC, grpc_services: [{envoy_grpc: {cluster_name: lrs}}]"),
      type,
    );
    assert.match(errors("api_type: REST, cluster_names: [lrs], refresh_delay: 1s"), type);
  });
});
