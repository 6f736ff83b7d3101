import assert from "node:assert/strict";
import { test } from "node:test";
import { scopeKeyText } from "../../../src/shared/config/scoped-routes.ts";
import {
  bytesOf,
  decodeListenerYaml,
  decoders,
  errorsOf,
  listenerYaml,
  managerYaml,
  routesYaml,
  valueOf,
} from "../../support/config-tools.ts";

const toCluster = routesYaml("{match: {prefix: /}, route: {cluster: c}}");
const extractor = "{header_value_extractor: {name: X-Scope, index: 0}}";
const fromAds = "{ads: {}}";

const scopedListener = (fields: string, fragment = extractor) =>
  decodeListenerYaml(
    listenerYaml(
      `filter_chains: [{filters: [${managerYaml(`scoped_routes: {name: scopes, scope_key_builder: {fragments: [${fragment}]}, ${fields}}`)}]}]`,
    ),
  );
const inline = (scope: string) =>
  scopedListener(`scoped_route_configurations_list: {scoped_route_configurations: [${scope}]}`);
const srds = `rds_config_source: ${fromAds}, scoped_rds: {scoped_rds_config_source: ${fromAds}}`;
const refused = (result: Parameters<typeof errorsOf>[0], pattern: RegExp): void =>
  assert.match(errorsOf(result).join("\n"), pattern);
const key = "key: {fragments: [{string_key: one}]}";

test("scopes of SRDS are a dependency, with the sources of both kinds", () => {
  const { config, dependencies } = valueOf(scopedListener(srds));
  const ads = { kind: "ads", initialFetchTimeoutMs: 15_000 };
  assert.deepEqual(dependencies, [
    {
      kind: "srds",
      name: "scopes",
      statPrefix: "web",
      scopes: { kind: "srds", source: { ...ads, collection: undefined }, rdsSource: ads },
    },
  ]);
  const [filter] = config.filterChains[0]?.filters ?? [];
  assert(filter?.kind === "httpConnectionManager");
  assert.deepEqual(filter.config.routes, {
    kind: "scoped",
    config: {
      name: "scopes",
      keyBuilder: [
        { header: "x-scope", elementSeparator: "", extract: { kind: "index", index: 0 } },
      ],
      scopes: { kind: "srds" },
    },
  });
});

test("inline scopes carry their routes, whose clusters must be known", () => {
  const scope = `{name: a, ${key}, route_configuration: ${toCluster}}`;
  const { dependencies, requiredClusters } = valueOf(inline(scope));
  assert.deepEqual(requiredClusters, ["c"]);
  const [dependency] = dependencies;
  assert(dependency?.kind === "srds" && dependency.scopes.kind === "inline");
  assert.deepEqual(
    dependency.scopes.views.map(({ name }) => name),
    ["a"],
  );
});

test("what Envoy refuses of scoped routes is refused in its words", () => {
  refused(
    inline(`{name: a, ${key}, route_configuration_name: r}`),
    /Fetching routes via RDS \(route_configuration_name\) is not supported with inline scoped routes\./,
  );
  refused(inline(`{name: a, ${key}}`), /You must specify a route_configuration with inline/);
  refused(
    scopedListener(srds, "{header_value_extractor: {name: x, index: 1}}"),
    /Index > 0 for empty string element separator\./,
  );
  refused(
    scopedListener(srds, "{header_value_extractor: {name: x}}"),
    /HeaderValueExtractor extract_type not set\./,
  );
  refused(
    scopedListener(`scoped_rds: {scoped_rds_config_source: ${fromAds}}`),
    /rds_config_source/,
  );
});

const fromCollection = (locator: string, source = fromAds) =>
  scopedListener(
    `rds_config_source: ${fromAds}, scoped_rds: {scoped_rds_config_source: ${source}, srds_resources_locator: "${locator}"}`,
  );

test("scopes of a collection are asked for by its canonical name", () => {
  const type = "envoy.config.route.v3.ScopedRouteConfiguration";
  const { dependencies } = valueOf(fromCollection(`xdstp://a/${type}/foo/*?k=v&b=1`));
  const [dependency] = dependencies;
  assert(dependency?.kind === "srds" && dependency.scopes.kind === "srds");
  assert.equal(dependency.scopes.source.collection, `xdstp://a/${type}/foo/*?b=1&k=v`);
  refused(fromCollection("xdstp://a/b/*"), /xdstp:\/\/ type does not match/);
  refused(fromCollection(`xdstp://a/${type}/foo`), /is no glob collection/);
  refused(
    fromCollection(`xdstp://a/${type}/*`, "{path_config_source: {path: /etc/hosts}}"),
    /Missing or not supported config source/,
  );
});

test("a scope of SRDS names its routes and its key", () => {
  const decode = (yaml: string) =>
    decoders.scopes.decode(bytesOf("envoy.config.route.v3.ScopedRouteConfiguration", yaml));
  assert.deepEqual(
    valueOf(
      decode(
        "{name: a, on_demand: true, route_configuration_name: r, key: {fragments: [{string_key: é}, {string_key: b}]}}",
      ),
    ),
    // As the bytes of a header are read.
    { name: "a", key: scopeKeyText(["Ã©", "b"]), routeConfigName: "r", isOnDemand: true },
  );
  assert.deepEqual(errorsOf(decode(`{name: a, ${key}, route_configuration: ${toCluster}}`)), [
    "route_configuration_name is empty.",
  ]);
});
