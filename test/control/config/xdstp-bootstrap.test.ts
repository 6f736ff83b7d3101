import assert from "node:assert/strict";
import { test } from "node:test";
import { authoritySource } from "../../../src/control/config/authorities.ts";
import { decodeBootstrap } from "../../../src/control/config/bootstrap.ts";
import {
  configTools,
  decodeClusterYaml,
  decodeListenerYaml,
  errorsOf,
  valueOf,
} from "../../support/config-tools.ts";

const type = "envoy.config.listener.v3.Listener";
const guard = "envoy.reloadable_features.xdstp_based_config_singleton_subscriptions";

const api = (cluster: string, apiType: string): string =>
  `api_config_source: {api_type: ${apiType}, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: ${cluster}}}]}`;

function decode(members: string) {
  const text = `{node: {id: n, cluster: c, locality: {zone: z}}, ${members}}`;
  return decodeBootstrap(configTools, {
    text,
    yaml: "",
    node: { id: "", cluster: "", zone: "" },
  });
}

/** `source`: the members of `lds_config`; empty: there is none. */
function withLocator(locator: string, source = api("xds", "DELTA_GRPC"), more = "") {
  const lds = source === "" ? "" : `lds_config: {${source}},`;
  return decode(`dynamic_resources: {${lds} lds_resources_locator: "${locator}"}, ${more}`);
}

test("a collection is asked for by its canonical name, with the node's parameters", () => {
  const locator = `xdstp://a/${type}/foo/*?k=v&b=1`;
  assert.equal(
    valueOf(withLocator(locator)).dynamicResources.lds?.collection,
    `xdstp://a/${type}/foo/*?b=1&k=v`,
  );
  const params = 'node_context_params: ["id", "locality.zone", "user_agent_name", "nonsense"]';
  const decoded = withLocator(locator, undefined, params);
  assert.equal(
    valueOf(decoded).dynamicResources.lds?.collection,
    `xdstp://a/${type}/foo/*?b=1&k=v&xds.node.id=n&xds.node.locality.zone=z&xds.node.user_agent_name=envoy`,
  );
  assert(decoded.ok);
  assert(decoded.warnings?.some(({ field }) => field.endsWith("node_context_params: nonsense")));
});

test("locators are refused as in Envoy, and where Envoy would ask for a list", () => {
  const glob = `xdstp://a/${type}/*`;
  const cases: readonly (readonly [locator: string, source: string, error: RegExp])[] = [
    ["hello", api("x", "DELTA_GRPC"), /^hello does not have a xdstp:, http: or file: scheme$/],
    ["file:///x", api("x", "DELTA_GRPC"), /only xdstp: locators are supported/],
    [`xdstp://a`, api("x", "DELTA_GRPC"), /^Resource type missing from \/$/],
    [
      "xdstp://a/envoy.config.cluster.v3.Cluster/*",
      api("x", "DELTA_GRPC"),
      /^xdstp:\/\/ type does not match envoy\.config\.listener\.v3\.Listener in xdstp:/,
    ],
    [`xdstp://a/${type}/foo`, api("x", "DELTA_GRPC"), /is no glob collection/],
    [glob, "", /^Missing or not supported config source specifier/],
    [glob, "path_config_source: {path: /etc/hosts}", /^Missing or not supported config source/],
    [glob, api("x", "GRPC"), /^Unknown xdstp:\/\/ transport API type GRPC/],
  ];
  for (const [locator, source, error] of cases) {
    const [first, ...others] = errorsOf(withLocator(locator, source));
    assert.match(first ?? "", error, locator);
    assert.deepEqual(others, []);
  }
});

test("authorities have servers of their own where Envoy's runtime guard says so", () => {
  const sources = `config_sources: [{authorities: [{name: a}], ${api("one", "AGGREGATED_DELTA_GRPC")}}, {authorities: [{name: a}, {name: b}], ${api("two", "AGGREGATED_GRPC")}}], default_config_source: {${api("other", "AGGREGATED_GRPC")}}`;
  const on = `layered_runtime: {layers: [{name: s, static_layer: {${guard}: true}}]}`;
  const { authorities } = valueOf(decode(`${sources}, ${on}`));
  const clusterOf = (name: string): string | undefined => {
    const target = authoritySource(name, authorities)?.services[0]?.target;
    return target?.kind === "cluster" ? target.clusterName : undefined;
  };
  assert.equal(clusterOf(`xdstp://a/${type}/x`), "one");
  assert.equal(clusterOf(`xdstp://b/${type}/x`), "two");
  assert.equal(clusterOf(`xdstp://c/${type}/x`), "other");
  assert.equal(clusterOf("plain"), undefined);
  const off = decode(sources);
  assert.equal(authoritySource(`xdstp://a/${type}/x`, valueOf(off).authorities), undefined);
  assert(off.ok && off.warnings?.some(({ reason }) => reason.includes(guard)));
});

test("sources of authorities are refused as in Envoy", () => {
  const named = (members: string): string =>
    `config_sources: [{authorities: [{name: a}], ${members}}]`;
  const cases: readonly (readonly [string, string])[] = [
    [
      `config_sources: [{${api("x", "AGGREGATED_GRPC")}}]`,
      "xdstp-based non-default config source must have at least one authority.",
    ],
    [
      `config_sources: [{authorities: [{name: a}, {name: a}], ${api("x", "AGGREGATED_GRPC")}}]`,
      "xdstp-based config source authority a is configured more than once in an xdstp-based config source.",
    ],
    [
      named("ads: {}"),
      "Only api_config_source type is currently supported for xdstp-based config sources.",
    ],
    [
      named(api("x", "DELTA_GRPC")),
      "xdstp-based config source authority only supports AGGREGATED_GRPC and AGGREGATED_DELTA_GRPC types.",
    ],
  ];
  for (const [members, error] of cases) assert.deepEqual(errorsOf(decode(members)), [error]);
});

test("a name that says xdstp has to be such a name, in listeners and in clusters", () => {
  const hcm =
    '"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const rds = "{config_source: {ads: {}}, route_config_name: 'xdstp:authA'}";
  assert.deepEqual(
    errorsOf(
      decodeListenerYaml(
        `{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: [{filters: [{name: h, typed_config: {${hcm}, stat_prefix: p, rds: ${rds}, http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]}`,
      ),
    ),
    ["Resource type missing from /"],
  );
  assert.deepEqual(
    errorsOf(
      decodeClusterYaml(
        "{name: c, type: EDS, eds_cluster_config: {service_name: 'xdstp:authA', eds_config: {ads: {}}}}",
      ),
    ),
    ["Resource type missing from /"],
  );
});
