// Makes gen/ out of the .proto files: `envoy.binpb`, the descriptors the proxy loads, and `es/`, the
// TypeScript types of the messages it reads (imported with `import type` alone: at run time every
// message goes through the descriptors). Needs no network; called by prepare.mjs when its input changed.
//
// The protos are those that @grpc/grpc-js-xds carries. They are older than the Envoy we follow, so a
// copy of them is patched first: see `newerFields`.
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const gen = path.join(root, "gen");
const protos = path.join(gen, "protos");
const require = createRequire(import.meta.url);

/** Whose fields the overlay follows; the numbers were read from go-control-plane's envoy module. */
const overlayOf = "v1.40.0";

/**
 * Fields that Envoy has and the carried protos lack, by file and message, as they would stand there. A
 * field whose own type is too new stays out: it is refused as unknown, never misread.
 */
const newerFields = {
  "validate/validate": {
    StringRules: ["optional bool ignore_empty = 26"],
  },
  "envoy/admin/v3/server_info": {
    ServerInfo: ["bool hot_restart_initializing = 8"],
    CommandLineOptions: [
      "bool skip_deprecated_logs = 41",
      "uint32 file_flush_min_size = 42",
      "bool log_stacktrace_single_entry = 43",
    ],
  },
  "envoy/config/bootstrap/v3/bootstrap": {
    imports: ["envoy/type/matcher/v3/string"],
    Admin: ["repeated type.matcher.v3.StringMatcher allow_paths = 7"],
    Bootstrap: [
      "google.protobuf.Duration stats_eviction_interval = 42",
      "bool enable_worker_cpu_affinity = 43",
    ],
  },
  "envoy/config/cluster/v3/cluster": {
    imports: ["xds/type/matcher/v3/matcher"],
    Cluster: [
      "google.protobuf.Duration dns_jitter = 58",
      "xds.type.matcher.v3.Matcher transport_socket_matcher = 59",
      "google.protobuf.Duration per_connection_buffer_high_watermark_timeout = 60",
    ],
  },
  "envoy/config/core/v3/address": {
    SocketAddress: ["string network_namespace_filepath = 7"],
  },
  "envoy/config/core/v3/socket_option": {
    SocketOption: [
      "message SocketType { message Stream {} message Datagram {} Stream stream = 1; Datagram datagram = 2; }\n  SocketType type = 7",
    ],
  },
  "envoy/config/core/v3/protocol": {
    imports: ["envoy/type/matcher/v3/string"],
    Http1ProtocolOptions: ["repeated type.matcher.v3.StringMatcher ignore_http_11_upgrade = 11"],
    HttpProtocolOptions: [
      "google.protobuf.UInt32Value max_response_headers_kb = 7 [(validate.rules).uint32 = {lte: 8192, gt: 0}]",
      "type.v3.Percent max_connection_duration_jitter = 8",
    ],
    Http2ProtocolOptions: [
      "google.protobuf.UInt64Value max_metadata_size = 17",
      "google.protobuf.BoolValue enable_huffman_encoding = 18",
      "google.protobuf.UInt32Value max_header_field_size_kb = 19 [(validate.rules).uint32 = {lte: 256, gte: 64}]",
    ],
  },
  "envoy/config/endpoint/v3/endpoint_components": {
    Endpoint: ["string observability_name = 5"],
  },
  "envoy/config/listener/v3/listener": {
    imports: ["envoy/config/core/v3/address"],
    AdditionalAddress: ["core.v3.TcpKeepalive tcp_keepalive = 3"],
    Listener: [
      "core.v3.TcpKeepalive tcp_keepalive = 37",
      "google.protobuf.Duration per_connection_buffer_high_watermark_timeout = 38",
    ],
  },
  "envoy/config/metrics/v3/stats": {
    StatsConfig: ["google.protobuf.BoolValue allow_default_tag_overrides = 5"],
  },
  "envoy/config/route/v3/route": {
    RouteConfiguration: ["string vhost_header = 18"],
  },
  "envoy/config/route/v3/route_components": {
    imports: ["envoy/config/core/v3/substitution_format_string"],
    DirectResponseAction: ["core.v3.SubstitutionFormatString body_format = 3"],
    RetryPolicy: ["bool refresh_cluster_on_retry = 14"],
    Route: ["google.protobuf.UInt64Value request_body_buffer_limit = 20"],
    RouteAction: ["google.protobuf.Duration flush_timeout = 42"],
    VirtualHost: ["google.protobuf.UInt64Value request_body_buffer_limit = 25"],
  },
  "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol": {
    ProxyProtocol: [
      "enum TlvLocation { DYNAMIC_METADATA = 0; FILTER_STATE = 1; }\n  TlvLocation tlv_location = 6",
    ],
  },
  "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector": {
    TlsInspector: [
      "google.protobuf.BoolValue enable_ja4_fingerprinting = 3",
      "bool close_connection_on_client_hello_parsing_errors = 4",
      "google.protobuf.UInt32Value max_client_hello_size = 5 [(validate.rules).uint32 = {lte: 16384, gt: 255}]",
    ],
  },
  "envoy/extensions/filters/http/router/v3/router": {
    Router: ["google.protobuf.BoolValue reject_connect_request_early_data = 10"],
  },
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager": {
    HttpConnectionManager: [
      "bool http1_safe_max_connection_duration = 58",
      "google.protobuf.Duration stream_flush_timeout = 59",
      "type.v3.Percent drain_timeout_jitter = 62",
      "bool record_route_resolution_stats = 63",
    ],
  },
  "envoy/extensions/upstreams/http/v3/http_protocol_options": {
    imports: [
      "envoy/config/common/matcher/v3/matcher",
      "envoy/config/route/v3/route_components",
    ],
    HttpProtocolOptions: [
      "message OutlierDetection { config.common.matcher.v3.MatchPredicate error_matcher = 1 [(validate.rules).message = {required: true}]; }\n  OutlierDetection outlier_detection = 8",
      "repeated config.route.v3.RouteAction.RequestMirrorPolicy request_mirror_policies = 9",
      "repeated config.route.v3.RouteAction.HashPolicy hash_policy = 10",
      "config.route.v3.RetryPolicy retry_policy = 11",
    ],
  },
  "envoy/extensions/http/injected_credentials/generic/v3/generic": {
    Generic: ["string header_value_prefix = 3"],
  },
  "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy": {
    imports: ["envoy/config/core/v3/backoff", "envoy/type/v3/percent"],
    TcpProxy: [
      "config.core.v3.BackoffStrategy backoff_options = 18",
      "type.v3.Percent max_downstream_connection_duration_jitter_percentage = 20",
      "google.protobuf.UInt32Value max_early_data_bytes = 22",
      "google.protobuf.BoolValue check_drain_close = 24",
    ],
  },
  "envoy/extensions/transport_sockets/tls/v3/common": {
    CertificateValidationContext: ["bool suppress_client_ca_list = 18"],
    TlsCertificate: ["TlsParameters tls_params = 9"],
    TlsParameters: [
      "enum CompliancePolicy { FIPS_202205 = 0; }\n  repeated CompliancePolicy compliance_policies = 6",
    ],
  },
  "envoy/extensions/transport_sockets/tls/v3/tls": {
    CommonTlsContext: ["config.core.v3.TypedExtensionConfig custom_tls_certificate_selector = 16"],
    DownstreamTlsContext: ["bool prefer_client_ciphers = 11"],
    UpstreamTlsContext: ["bool auto_host_sni = 6", "bool auto_sni_san_validation = 7"],
  },
  "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config": {
    SPIFFECertValidatorConfig: ["config.core.v3.DataSource trust_bundles = 2"],
    TrustDomain: ["string workload_trust_domain = 3"],
  },
  "xds/type/matcher/v3/matcher": {
    OnMatch: ["bool keep_matching = 3"],
  },
  "envoy/service/discovery/v3/discovery": {
    DiscoveryResponse: ["repeated ResourceError resource_errors = 7"],
    DeltaDiscoveryResponse: ["repeated ResourceError resource_errors = 9"],
  },
};

/** Messages that the carried protos lack and a newer field needs. */
const newerMessages = [
  [
    "envoy/service/discovery/v3/discovery",
    "message ResourceError {\n  ResourceName resource_name = 1;\n  google.rpc.Status error_detail = 2;\n}\n",
  ],
];

/** What the proxy reads, and what it must be able to name when it refuses it. */
const wanted = [
  "envoy/{admin,config,data,extensions,type}/**/v3/*.proto",
  "envoy/service/{accesslog,auth,cluster,discovery,endpoint,extension,listener,load_stats,route,runtime,secret,status}/v3/*.proto",
  "udpa/type/**/*.proto",
  "xds/type/**/*.proto",
];

/** What those import: types are generated for files that are named, descriptors for all. */
const imported = [
  "envoy/annotations/*.proto",
  "google/{api/expr/v1alpha1/{checked,syntax,value},rpc/status}.proto",
  "udpa/annotations/*.proto",
  "validate/validate.proto",
  "xds/{annotations,core}/**/*.proto",
];

/** Their imports (OpenCensus, OpenTelemetry, Prometheus) are not carried; `trace.proto` drags them in. */
const unclosed = [
  "envoy/config/trace/v3/opencensus.proto",
  "envoy/config/trace/v3/trace.proto",
  "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto",
];

function copyProtos() {
  const carried = path.dirname(require.resolve("@grpc/grpc-js-xds/package.json"));
  for (const folder of ["envoy-api", "googleapis", "protoc-gen-validate", "xds"])
    cpSync(path.join(carried, "deps", folder), protos, { recursive: true });
  cpSync(path.join(root, "proto"), protos, { recursive: true });
}

/** Adds the newer fields to the copy. A field that the carried protos gained meanwhile is left alone. */
function patchProtos() {
  for (const [file, text] of newerMessages) edit(file, (source) => `${source}\n${text}`);
  for (const [file, { imports = [], ...messages }] of Object.entries(newerFields)) {
    edit(file, (source) => {
      let patched = source;
      for (const [message, fields] of Object.entries(messages))
        for (const field of fields) patched = withField(patched, message, field);
      for (const name of imports) patched = withImport(patched, name);
      return patched;
    });
  }
}

function withField(source, message, field) {
  const start = source.indexOf(`message ${message} {`);
  if (start < 0) throw new Error(`no message ${message} to give ${field} of ${overlayOf}`);
  const name = / (\w+) = \d+(?: \[.*\])?$/.exec(field)[1];
  if (new RegExp(`\\b${name} = \\d+`).test(bodyAt(source, start))) return source;
  const open = source.indexOf("{", start) + 1;
  return `${source.slice(0, open)}\n  ${field};\n${source.slice(open)}`;
}

function withImport(source, name) {
  if (source.includes(`import "${name}.proto"`)) return source;
  return source.replace(/^import /m, `import "${name}.proto";\nimport `);
}

/** The text of the message that begins at `start`. Braces in its comments balance, as it happens. */
function bodyAt(source, start) {
  let depth = 0;
  for (let at = source.indexOf("{", start); at < source.length; at++) {
    if (source[at] === "{") depth++;
    if (source[at] === "}" && --depth === 0) return source.slice(start, at);
  }
  throw new Error(`unbalanced braces after ${source.slice(start, start + 40)}`);
}

function edit(file, change) {
  const name = path.join(protos, `${file}.proto`);
  writeFileSync(name, change(readFileSync(name, "utf8")));
}

function find(patterns) {
  const found = patterns.flatMap((pattern) => globSync(pattern, { cwd: protos }));
  return [...new Set(found)].filter((file) => !unclosed.includes(file)).sort();
}

function protoc(args) {
  const protocPackage = path.dirname(require.resolve("protoc/package.json"));
  const env = {
    ...process.env,
    // protoc starts its plugin by a `#!/usr/bin/env node` line.
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
  };
  const include = path.join(protocPackage, "include");
  const command = [path.join(protocPackage, "protoc.cjs"), `-I${protos}`, `-I${include}`, ...args];
  const result = spawnSync(process.execPath, command, { env, stdio: ["ignore", 2, 2] });
  if (result.status !== 0) throw new Error(`protoc ended with ${result.status}`);
}

rmSync(gen, { recursive: true, force: true });
mkdirSync(path.join(gen, "es"), { recursive: true });
copyProtos();
patchProtos();
const own = globSync("**/*.proto", { cwd: path.join(root, "proto") });
protoc([
  `--descriptor_set_out=${path.join(gen, "envoy.binpb")}`,
  "--include_imports",
  ...find([...wanted, ...own]),
]);
const plugin = path.join(
  path.dirname(require.resolve("@bufbuild/protoc-gen-es/package.json")),
  "bin/protoc-gen-es",
);
protoc([
  `--plugin=protoc-gen-es=${plugin}`,
  `--es_out=${path.join(gen, "es")}`,
  "--es_opt=target=dts,import_extension=js",
  ...find([...wanted, ...imported, ...own]),
]);
rmSync(protos, { recursive: true });
