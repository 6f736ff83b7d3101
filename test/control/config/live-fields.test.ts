import assert from "node:assert/strict";
import { test } from "node:test";
import { createListenerComparison } from "../../../src/control/config/listener-comparison.ts";
import {
  planUpdate,
  shownFieldsMax,
  type UpdatePlan,
} from "../../../src/control/listener/listener-update.ts";
import {
  bytesOf,
  configTools,
  decodeListenerYaml,
  decoders,
  listenerYaml,
  managerYaml,
  routerYaml,
  valueOf,
} from "../../support/config-tools.ts";

const comparison = createListenerComparison(configTools.protos);
const routes =
  "route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}";
const onDemand =
  "{name: od, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand}}";
const mutation = (name: string): string =>
  `{name: hm, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation, mutations: {request_mutations: [{remove: ${name}}]}}}`;

/** The active listener has one connection manager of these fields, and the update another. */
function plan(before: string, after: string, filters = [routerYaml, routerYaml]): UpdatePlan {
  const [active, next] = [before, after].map((fields, index) =>
    valueOf(
      decodeListenerYaml(
        listenerYaml(`filter_chains: [{filters: [${managerYaml(fields, filters[index])}]}]`),
      ),
    ),
  );
  assert(active && next);
  return planUpdate({ next, active, warming: undefined }, comparison);
}

const at = (field: string): string => `filter_chains[0].filters[0].typed_config.${field}`;

for (const [field, value] of Object.entries({
  server_name: "x",
  server_header_transformation: "PASS_THROUGH",
  via: "x",
  use_remote_address: "true",
  xff_num_trusted_hops: "2",
  skip_xff_append: "true",
  generate_request_id: "false",
  preserve_external_request_id: "true",
  always_set_request_id_in_response: "true",
  normalize_path: "true",
  merge_slashes: "true",
  strip_matching_host_port: "true",
  stream_idle_timeout: "7s",
  request_timeout: "7s",
}))
  test(`${field} is taken up by open connections`, () => {
    const changed = plan(routes, `${routes}, ${field}: ${value}`);
    assert.deepEqual(changed, { kind: "live", changed: [at(field)] });
  });

for (const [field, value] of Object.entries({
  delayed_close_timeout: "7s",
  drain_timeout: "7s",
  request_headers_timeout: "7s",
  max_request_headers_kb: "7",
  common_http_protocol_options: "{idle_timeout: 7s}",
}))
  test(`${field} drains its chain, for connections keep it`, () => {
    const changed = plan(routes, `${routes}, ${field}: ${value}, server_name: x`);
    assert.deepEqual(changed, { kind: "inPlace", changed: [at(field)] });
  });

test("routes of any kind but scoped ones are taken up", () => {
  const rds = "rds: {route_config_name: r, config_source: {ads: {}}}";
  assert.deepEqual(plan(routes, rds), {
    kind: "live",
    changed: [at("rds"), at("route_config")],
  });
  assert.equal(plan(routes, routes.replace("200", "201")).kind, "live");
  const scoped =
    "scoped_routes: {name: s, scope_key_builder: {fragments: [{header_value_extractor: {name: x, element_separator: ',', index: 0}}]}, rds_config_source: {ads: {}}, scoped_rds: {scoped_rds_config_source: {ads: {}}}}";
  assert.equal(plan(routes, scoped).kind, "inPlace");
  assert.equal(plan(scoped, scoped.replace("name: x", "name: y")).kind, "inPlace");
});

test("HTTP filters are taken up unless one of them keeps something of a connection", () => {
  const filters = [mutation("a"), mutation("b")].map((one) => `${one}, ${routerYaml}`);
  assert.equal(plan(routes, routes, filters).kind, "live");
  const keeping = filters.map((list) => `${onDemand}, ${list}`);
  const changed = plan(routes, routes, keeping);
  assert.deepEqual(changed, {
    kind: "inPlace",
    changed: [at("http_filters[1].typed_config.mutations")],
  });
  assert.equal(
    plan(routes, routes.replace("200", "201"), [keeping[0] ?? "", keeping[0] ?? ""]).kind,
    "live",
  );
});

test("the field that decided is told, however many others changed", () => {
  const listenerOf = (status: number, rest: string) => {
    const chains = Array.from(
      { length: 20 },
      (_, port) =>
        `{filter_chain_match: {destination_port: ${port + 1}}, filters: [${managerYaml(routes.replace("200", String(status)))}]}`,
    );
    return valueOf(decodeListenerYaml(listenerYaml(`filter_chains: [${chains.join()}]${rest}`)));
  };
  const active = listenerOf(200, "");
  const situation = (rest: string) => ({
    active,
    warming: undefined,
    next: listenerOf(201, rest),
  });
  const full = planUpdate(situation(", drain_type: MODIFY_ONLY"), comparison);
  assert.deepEqual(full, { kind: "full", changed: ["drain_type"] });
  const live = planUpdate(situation(""), comparison);
  assert(live.kind === "live");
  assert.deepEqual([live.changed.length, live.changed.at(-1)], [shownFieldsMax + 1, "4 more"]);
});

test("a filter that is passed over may hold anything", () => {
  const passedOver = (value: string): string =>
    `{name: lua, is_optional: true, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue, value: ${value}}}, ${routerYaml}`;
  const [active, next] = ["AAAA", "BBBB"].map((value) => {
    const yaml = listenerYaml(
      `filter_chains: [{filters: [${managerYaml(routes, passedOver(value))}]}]`,
    );
    const bytes = bytesOf("envoy.config.listener.v3.Listener", yaml);
    // The text of the value stands for its length: what follows is no message any more.
    const at = Buffer.from(bytes).indexOf(value);
    bytes[at - 1] = 0x7f;
    return valueOf(decoders.listeners.decode(bytes));
  });
  assert(active && next);
  assert.deepEqual(comparison.changedFields(active, next), [at("http_filters[0].typed_config")]);
});
