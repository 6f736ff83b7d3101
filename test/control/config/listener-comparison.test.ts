import assert from "node:assert/strict";
import { test } from "node:test";
import { createListenerComparison } from "../../../src/control/config/listener-comparison.ts";
import {
  configTools,
  decodeListenerYaml,
  listenerYaml,
  managerYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";
import { to } from "../../support/match-tree-messages.ts";

const comparison = createListenerComparison(configTools.protos);
const listener = (fields: string) => valueOf(decodeListenerYaml(listenerYaml(fields)));
const chain = (port: number, cluster = "c", rest = ""): string =>
  `{filter_chain_match: {destination_port: ${port}}, filters: [${tcpProxyYaml(`cluster: ${cluster}`)}]${rest}}`;

function compare(before: string, after: string) {
  const [a, b] = [listener(before), listener(after)];
  return {
    equivalent: comparison.equivalent(a, b),
    chainsOnly: comparison.isFilterChainOnlyChange(a, b),
    changed: comparison.changedFields(a, b),
  };
}

test("the order of filter chains and of their criteria means nothing", () => {
  assert.deepEqual(
    compare(
      `filter_chains: [${chain(1)}, ${chain(2)}]`,
      `filter_chains: [${chain(2)}, ${chain(1)}]`,
    ),
    { equivalent: true, chainsOnly: true, changed: ["filter_chains"] },
  );
  const names = (list: string): string =>
    `filter_chains: [{filter_chain_match: {server_names: [${list}]}, filters: [${tcpProxyYaml()}]}]`;
  assert.equal(compare(names("a, b"), names("b, a")).equivalent, true);
});

test("a default written out and a change of metadata mean nothing", () => {
  const plain = `filter_chains: [${chain(1)}]`;
  assert.equal(
    compare(plain, `${plain}, per_connection_buffer_limit_bytes: 1048576`).equivalent,
    true,
  );
  assert.deepEqual(compare(plain, `${plain}, metadata: {filter_metadata: {a: {b: 1}}}`), {
    equivalent: true,
    chainsOnly: true,
    changed: ["metadata"],
  });
  const withMetadata = `filter_chains: [${chain(1, "c", ", metadata: {filter_metadata: {a: {}}}")}]`;
  assert.equal(compare(plain, withMetadata).equivalent, true);
});

test("the matcher of chains is one of their fields, as for Envoy", () => {
  const chains = `filter_chains: [{name: a, filters: [${tcpProxyYaml()}]}]`;
  const naming = (name: string): string =>
    `${chains}, filter_chain_matcher: ${JSON.stringify({ on_no_match: to(name) })}`;
  assert.deepEqual(compare(naming("a"), naming("b")), {
    equivalent: false,
    chainsOnly: true,
    changed: ["filter_chain_matcher"],
  });
  assert.equal(compare(chains, naming("a")).chainsOnly, true);
});

test("a changed chain leaves the identity of the others", () => {
  const before = listener(`filter_chains: [${chain(1)}, ${chain(2)}]`);
  const after = listener(`filter_chains: [${chain(1)}, ${chain(2, "d")}]`);
  assert.deepEqual(
    compare(
      `filter_chains: [${chain(1)}, ${chain(2)}]`,
      `filter_chains: [${chain(1)}, ${chain(2, "d")}]`,
    ),
    {
      equivalent: false,
      chainsOnly: true,
      changed: ["filter_chains[1].filters[0].typed_config.cluster"],
    },
  );
  assert.equal(before.config.filterChains[0]?.id, after.config.filterChains[0]?.id);
  assert.notEqual(before.config.filterChains[1]?.id, after.config.filterChains[1]?.id);
});

test("anything else is a full change, named by its fields", () => {
  assert.deepEqual(
    compare(
      `filter_chains: [${chain(1)}]`,
      `filter_chains: [${chain(2)}], drain_type: MODIFY_ONLY, socket_options: [{level: 1, name: 2, int_value: 3}]`,
    ),
    {
      equivalent: false,
      chainsOnly: false,
      changed: ["filter_chains[0].filter_chain_match", "drain_type", "socket_options"],
    },
  );
});

test("another source of the same routes is no equivalent", () => {
  const rds = (source: string): string =>
    `filter_chains: [{filters: [${managerYaml(`rds: {route_config_name: r, config_source: {${source}}}`)}]}]`;
  const { equivalent } = compare(rds("ads: {}"), rds("path_config_source: {path: /x}"));
  assert.equal(equivalent, false);
});

test("maps in another order hash alike", () => {
  const metadata = (text: string): string =>
    `filter_chains: [${chain(1)}], metadata: {filter_metadata: {${text}}}`;
  assert.equal(
    listener(metadata("a: {x: 1, y: 2}, b: {}")).hash,
    listener(metadata("b: {}, a: {y: 2, x: 1}")).hash,
  );
});

test("a path leads to the field that changed, in a chain wherever it stands", () => {
  const http = (port: number, manager: string): string =>
    `{filter_chain_match: {destination_port: ${port}}, filters: [${managerYaml(manager)}]}`;
  const changed = (before: string, after: string): readonly string[] =>
    compare(`filter_chains: [${before}]`, `filter_chains: [${after}]`).changed;
  const routes = (code: number): string =>
    `route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: ${code}}}]}]}`;
  assert.deepEqual(changed(http(1, routes(200)), http(1, routes(201))), [
    "filter_chains[0].filters[0].typed_config.route_config",
  ]);
  assert.deepEqual(
    changed(`${chain(1)}, ${http(2, routes(200))}`, `${http(2, routes(201))}, ${chain(1)}`),
    ["filter_chains[0].filters[0].typed_config.route_config"],
  );
  assert.deepEqual(changed(chain(1), `${chain(3)}, ${chain(1)}, ${chain(2)}`), [
    "filter_chains[0]",
    "filter_chains[2]",
  ]);
  assert.deepEqual(changed(`${chain(1)}, ${chain(2)}`, chain(1)), ["filter_chains"]);
  const timeouts = "common_http_protocol_options: {max_stream_duration: 1s}, request_timeout: 1s";
  assert.deepEqual(
    changed(http(1, routes(200)), http(1, `${routes(200)}, ${timeouts}`)).toSorted(),
    [
      "filter_chains[0].filters[0].typed_config.common_http_protocol_options",
      "filter_chains[0].filters[0].typed_config.request_timeout",
    ],
  );
});
