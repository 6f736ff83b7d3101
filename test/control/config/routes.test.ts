import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  bytesOf,
  decodeRoutesYaml,
  decoders,
  errorsOf,
  routesYaml,
  valueOf,
} from "../../support/config-tools.ts";

const to = "route: {cluster: c}";

test("decode() reads every kind of match and action", () => {
  const { config, clusterNames, validateClusters } = valueOf(
    decodeRoutesYaml(
      routesYaml(`
        {name: a, match: {prefix: /a, case_sensitive: false, headers: [{name: X-A, string_match: {exact: b, ignore_case: true}}], query_parameters: [{name: q, present_match: true}], runtime_fraction: {default_value: {numerator: 25}, runtime_key: share}}, ${to}},
        {match: {safe_regex: {regex: "/b/.*"}}, redirect: {https_redirect: true, path_redirect: /x, response_code: FOUND}},
        {match: {path: /c}, direct_response: {status: 200, body: {inline_string: hi}}},
        {match: {path_separated_prefix: /d}, route: {weighted_clusters: {clusters: [{name: c, weight: 1}, {name: d, weight: 3}]}, timeout: 0s, host_rewrite_literal: h}}
      `),
    ),
  );
  assert.deepEqual(clusterNames, ["c", "d"]);
  assert.equal(validateClusters, false);
  const [prefix, regex, exact, weighted] = config.virtualHosts[0]?.routes ?? [];
  assert.deepEqual(prefix?.match, {
    path: { kind: "prefix", value: "/a" },
    caseSensitive: false,
    headers: [
      {
        name: "x-a",
        match: { kind: "string", matcher: { kind: "exact", value: "b", ignoreCase: true } },
        invert: false,
        treatMissingAsEmpty: false,
      },
    ],
    queryParameters: [{ name: "q", matcher: undefined }],
    runtimeFraction: { runtimeKey: "share", otherwise: 250_000 },
  });
  assert(prefix.action.kind === "cluster");
  assert.equal(prefix.action.timeoutMs, 15_000);
  assert.deepEqual(regex?.match.path, { kind: "regex", regex: { source: "/b/.*" } });
  assert(regex.action.kind === "redirect");
  assert.deepEqual(
    [regex.action.status, regex.action.scheme, regex.action.path],
    [302, "https", "/x"],
  );
  assert.deepEqual(exact?.action, { kind: "directResponse", status: 200, body: "hi" });
  assert(weighted?.action.kind === "cluster");
  assert.equal(weighted.action.timeoutMs, 0);
  assert.deepEqual(weighted.action.hostRewrite, { kind: "literal", value: "h" });
});

test("upgrades are named in lower case, and are on unless they are off", () => {
  const configs = "{upgrade_type: WebSocket}, {upgrade_type: spdy, enabled: false}";
  const { config } = valueOf(
    decodeRoutesYaml(
      routesYaml(`{match: {prefix: /}, route: {cluster: c, upgrade_configs: [${configs}]}}`),
    ),
  );
  const action = config.virtualHosts[0]?.routes[0]?.action;
  assert(action?.kind === "cluster");
  assert.deepEqual(action.upgrades, [
    { type: "websocket", isEnabled: true },
    { type: "spdy", isEnabled: false },
  ]);
});

test("connect_matcher is for CONNECT alone, and connect_config says that a tunnel ends here", () => {
  const upgrade = (config: string): string =>
    `{match: {connect_matcher: {}}, route: {cluster: c, upgrade_configs: [{upgrade_type: connect${config}}]}}`;
  for (const [text, tunnelEnd] of [
    ["", undefined],
    [", connect_config: {}", { allowsPost: false }],
    [", connect_config: {allow_post: true}", { allowsPost: true }],
    [", connect_config: {proxy_protocol_config: {}}", { allowsPost: false, proxyProtocol: "v1" }],
    [
      ", connect_config: {proxy_protocol_config: {version: V2}}",
      { allowsPost: false, proxyProtocol: "v2" },
    ],
  ] as const) {
    const { config } = valueOf(decodeRoutesYaml(routesYaml(upgrade(text))));
    const [found] = config.virtualHosts[0]?.routes ?? [];
    assert.deepEqual(found?.match.path, { kind: "connect" });
    assert(found.action.kind === "cluster");
    assert.deepEqual(found.action.tunnelEnd, tunnelEnd);
    assert.deepEqual(found.action.upgrades, [{ type: "connect", isEnabled: true }]);
  }
});

test("a route without a retry policy takes its virtual host's", () => {
  const { config } = valueOf(
    decodeRoutesYaml(
      `{name: r, virtual_hosts: [{name: v, domains: ["*"], retry_policy: {retry_on: "5xx,bogus", num_retries: 7}, routes: [{match: {prefix: /}, ${to}}]}]}`,
    ),
  );
  const action = config.virtualHosts[0]?.routes[0]?.action;
  assert(action?.kind === "cluster");
  assert.deepEqual(action.retryPolicy, {
    retryOn: ["5xx"],
    retriableStatusCodes: [],
    numRetries: 7,
    perTryTimeoutMs: 0,
    perTryIdleTimeoutMs: 0,
  });
});

describe("decode() refuses as Envoy does", () => {
  const violation = "Proto constraint validation failed (";
  const hosts = (text: string): string => `{name: r, virtual_hosts: [${text}]}`;
  const cases: readonly (readonly [name: string, routes: string, error: string | RegExp])[] = [
    [
      "two wildcard domains",
      hosts("{name: v, domains: ['*']}, {name: w, domains: ['*']}"),
      "Only a single wildcard domain is permitted in route r",
    ],
    [
      "a domain twice, in any case",
      hosts("{name: v, domains: ['a.com', 'A.com']}"),
      "Only unique values for domains are permitted. Duplicate entry of domain a.com in route r",
    ],
    [
      "a virtual host without domains",
      hosts("{name: v}"),
      `${violation}RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed validation | caused by VirtualHostValidationError.Domains: value must contain at least 1 item(s))`,
    ],
    [
      "a route without a match",
      routesYaml(`{${to}}`),
      `${violation}RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed validation | caused by VirtualHostValidationError.Routes[0]: embedded message failed validation | caused by RouteValidationError.Match: value is required)`,
    ],
    ["a bad expression", routesYaml(`{match: {safe_regex: {regex: "(a"}}, ${to}}`), /regex '\(a'/],
    ["look-ahead", routesYaml(`{match: {safe_regex: {regex: "(?=a)"}}, ${to}}`), /regex/],
    [
      "weights of nothing",
      routesYaml(
        "{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: c, weight: 0}]}}}",
      ),
      "Sum of weights in the weighted_cluster must be greater than 0.",
    ],
    [
      "two rewrites",
      routesYaml(
        "{match: {prefix: /}, route: {cluster: c, prefix_rewrite: /x, regex_rewrite: {pattern: {regex: a}, substitution: b}}}",
      ),
      "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy",
    ],
    [
      "a long direct response",
      routesYaml(
        `{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: ${"a".repeat(5000)}}}}`,
      ),
      "response body size is 5000 bytes; maximum is 4096",
    ],
    [
      "a changed :path",
      routesYaml(
        `{match: {prefix: /}, ${to}, request_headers_to_add: [{header: {key: ":path", value: x}}]}`,
      ),
      ":-prefixed or host headers may not be modified",
    ],
    [
      "a removed host",
      routesYaml(`{match: {prefix: /}, ${to}, request_headers_to_remove: [Host]}`),
      ":-prefixed or host headers may not be removed",
    ],
    [
      "configuration for a filter that is not built",
      routesYaml(
        `{match: {prefix: /}, ${to}, typed_per_filter_config: {cors: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy}}}`,
      ),
      "Didn't find a registered implementation for 'cors' with type URL: 'envoy.extensions.filters.http.cors.v3.CorsPolicy' (per-route configuration: built are envoy.filters.http.on_demand)",
    ],
    [
      "a mirror",
      routesYaml(
        "{match: {prefix: /}, route: {cluster: c, request_mirror_policies: [{cluster: d}]}}",
      ),
      "envoy.config.route.v3.RouteAction.request_mirror_policies is not supported: requests would not be mirrored",
    ],
    [
      "a CONNECT-UDP",
      routesYaml(
        "{match: {prefix: /}, route: {cluster: c, upgrade_configs: [{upgrade_type: CONNECT-UDP}]}}",
      ),
      /upgrade_type CONNECT-UDP is not built/,
    ],
    [
      "an upgrade twice, in any case",
      routesYaml(
        "{match: {prefix: /}, route: {cluster: c, upgrade_configs: [{upgrade_type: a}, {upgrade_type: A}]}}",
      ),
      "Duplicate upgrade A",
    ],
    [
      "a tunnel's end of an upgrade",
      routesYaml(
        "{match: {prefix: /}, route: {cluster: c, upgrade_configs: [{upgrade_type: x, connect_config: {}}]}}",
      ),
      "Non-CONNECT upgrade type x has ConnectConfig",
    ],
  ];
  for (const [name, yaml, error] of cases) {
    test(name, () => {
      const errors = errorsOf(decodeRoutesYaml(yaml));
      if (typeof error === "string") assert.deepEqual(errors, [error]);
      else assert.match(errors.join("\n"), error);
    });
  }
});

test("vhds wants delta, and its hosts are named by their wrappers", () => {
  const withVhds = (source: string) =>
    decodeRoutesYaml(`{name: r, vhds: {config_source: ${source}}}`);
  assert.deepEqual(valueOf(withVhds("{ads: {}}")).vhds, {
    kind: "ads",
    initialFetchTimeoutMs: 15_000,
  });
  const service = "grpc_services: [{envoy_grpc: {cluster_name: c}}]";
  const api = (type: string) =>
    `{api_config_source: {api_type: ${type}, transport_api_version: V3, ${service}}}`;
  assert.equal(valueOf(withVhds(api("DELTA_GRPC"))).vhds?.kind, "api");
  for (const source of [api("GRPC"), api("AGGREGATED_DELTA_GRPC"), "{self: {}}", "{path: /x}"])
    assert.deepEqual(errorsOf(withVhds(source)), [
      "vhds: only 'DELTA_GRPC' or 'ADS' (which uses Delta xDS) is supported as a config source.",
    ]);
  const { host, clusterNames } = valueOf(
    decoders.virtualHosts.decode(
      bytesOf(
        "envoy.config.route.v3.VirtualHost",
        "{name: h, domains: [A.example], routes: [{match: {prefix: /}, route: {cluster: c}}]}",
      ),
    ),
  );
  assert.deepEqual([host.domains, clusterNames], [["a.example"], ["c"]]);
});

test("how long a request may last is honoured, and nothing is warned of", () => {
  const durations = "{max_stream_duration: 1s, grpc_timeout_header_max: 2s}";
  const decoded = decodeRoutesYaml(
    routesYaml(`
      {match: {prefix: /a}, route: {cluster: c, max_stream_duration: ${durations}}},
      {match: {prefix: /b}, route: {cluster: c, max_grpc_timeout: 1s, grpc_timeout_offset: 0.1s}}
    `),
  );
  assert(decoded.ok);
  assert.deepEqual(decoded.warnings, []);
});
