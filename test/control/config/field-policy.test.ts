import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMessage } from "@bufbuild/protobuf";
import { applyFieldPolicy } from "../../../src/control/config/field-policy.ts";
import { bootstrapFields } from "../../../src/control/config/field-tables/bootstrap-fields.ts";
import { clusterFields } from "../../../src/control/config/field-tables/cluster-fields.ts";
import { coreFields } from "../../../src/control/config/field-tables/core-fields.ts";
import { httpFields } from "../../../src/control/config/field-tables/http-fields.ts";
import { listenerFields } from "../../../src/control/config/field-tables/listener-fields.ts";
import { routeFields } from "../../../src/control/config/field-tables/route-fields.ts";
import { readText } from "../../../src/control/proto/json.ts";
import {
  bytesOf,
  configTools,
  decodeListenerYaml,
  decodeRoutesYaml,
  decoders,
  errorsOf,
  listenerYaml,
  routesYaml,
  tcpProxyYaml,
} from "../../support/config-tools.ts";

const tables = {
  ...bootstrapFields,
  ...clusterFields,
  ...coreFields,
  ...httpFields,
  ...listenerFields,
  ...routeFields,
};

test("every field of every table exists, and stands in it once", () => {
  for (const [typeName, table] of Object.entries(tables)) {
    const desc: DescMessage | undefined = configTools.protos.find(typeName);
    assert(desc, `no message ${typeName}`);
    if (table === "whole") continue;
    const named = [
      ...table.honoured,
      ...Object.keys(table.refused ?? {}),
      ...Object.keys(table.warned ?? {}),
    ];
    assert.equal(new Set(named).size, named.length, `${typeName} names a field twice`);
    const known = new Set(desc.fields.map((field) => field.name));
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
      typeName,
    );
  }
});

test("a field that changes who may pass is refused by name", () => {
  const result = decodeListenerYaml(
    listenerYaml("filter_chains: [{use_proxy_proto: true}], udp_listener_config: {}"),
  );
  assert.deepEqual(errorsOf(result), [
    "envoy.config.listener.v3.FilterChain.use_proxy_proto is not supported: the PROXY protocol is not built",
    "envoy.config.listener.v3.Listener.udp_listener_config is not supported: UDP listeners are not built",
  ]);
});

test("any other field is warned of, with what happens in its place", () => {
  const result = decodeListenerYaml(listenerYaml("enable_mptcp: true, filter_chains: [{}]"));
  assert(result.ok);
  assert.deepEqual(result.warnings, [
    {
      field: "envoy.config.listener.v3.Listener.enable_mptcp",
      reason: "plain TCP sockets are opened",
    },
  ]);
});

test("a wrapper that says false asks for nothing", () => {
  const result = decodeListenerYaml(
    listenerYaml("filter_chains: [{use_proxy_proto: false, filters: [" + tcpProxyYaml() + "]}]"),
  );
  assert(result.ok);
  assert.deepEqual(result.warnings, []);
});

test("a message without a table has all its fields warned of", () => {
  const sink = { refused: [] as string[], warned: [] as string[] };
  const schema = configTools.protos.schema("envoy.config.tap.v3.TapConfig");
  const read = readText(configTools.protos, schema, "{output_config: {streaming: true}}");
  assert(read.ok);
  applyFieldPolicy(schema, read.value, {
    refuse: (error) => sink.refused.push(error),
    warn: (field) => sink.warned.push(field),
  });
  assert.deepEqual(sink, { refused: [], warned: ["envoy.config.tap.v3.TapConfig.output_config"] });
});

test("an unknown field is refused in a matcher and warned of elsewhere", () => {
  // RouteMatch.cookies of Envoy 1.40, which our protos lack: field 17, a message.
  const cookies = Uint8Array.from([0x8a, 0x01, 0x00]);
  const match = [0x0a, 3 + 3, 0x0a, 0x01, 0x2f, ...cookies];
  const action = [0x12, 3, 0x0a, 0x01, 0x63];
  const route = [0x1a, match.length + action.length, ...match, ...action];
  const host = [0x0a, 1, 0x76, 0x12, 1, 0x2a, ...route];
  const bytes = Uint8Array.from([0x0a, 1, 0x72, 0x12, host.length, ...host]);
  assert.deepEqual(errorsOf(decoders.routes.decode(bytes)), [
    "envoy.config.route.v3.RouteMatch.#17 is not supported: a field that is not known, in a matcher",
  ]);

  const cluster = bytesOf("envoy.config.cluster.v3.Cluster", "{name: a, connect_timeout: 1s}");
  const result = decoders.clusters.decode(Uint8Array.from([...cluster, 0xf2, 0x07, 0x00]));
  assert(result.ok);
  assert.deepEqual(result.warnings, [
    {
      field: "envoy.config.cluster.v3.Cluster.#126",
      reason: "a field that is not known, has no effect",
    },
  ]);
});

test("what is honoured is not warned of", () => {
  const result = decodeRoutesYaml(
    routesYaml("{match: {prefix: /}, route: {cluster: c, timeout: 1s}, metadata: {}}"),
  );
  assert(result.ok);
  assert.deepEqual(result.warnings, []);
});
