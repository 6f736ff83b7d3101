import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Bootstrap } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import { readText, writeJson } from "../../../src/control/proto/json.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";

const protos = createProtoRegistry();
const schema = protos.schema<Bootstrap>("envoy.config.bootstrap.v3.Bootstrap");

function errorsOf(text: string): readonly string[] {
  const read = readText(protos, schema, text);
  return read.ok ? [] : read.errors;
}

test("readText() takes JSON and YAML, snake_case and camelCase", () => {
  for (const text of [
    '{"static_resources": {"clusters": [{"name": "a", "connect_timeout": "0.25s"}]}}',
    '{"staticResources": {"clusters": [{"name": "a", "connectTimeout": "0.250s"}]}}',
    "static_resources:\n  clusters:\n  - name: a\n    connect_timeout: 0.25s\n",
    "{static_resources: {clusters: [{name: a, connect_timeout: 0.25s}]}}",
  ]) {
    const read = readText(protos, schema, text);
    assert(read.ok, text);
    const timeout = read.value.staticResources?.clusters[0]?.connectTimeout;
    assert.deepEqual([timeout?.seconds, timeout?.nanos], [0n, 250_000_000]);
  }
});

test("readText() reads YAML by its JSON schema: yes and 0x10 are strings", () => {
  const read = readText(protos, schema, "node: {id: yes, cluster: 0x10}");
  assert(read.ok);
  assert.deepEqual([read.value.node?.id, read.value.node?.cluster], ["yes", "0x10"]);
});

describe("readText() names the path of what is wrong", () => {
  const root = "invalid JSON in envoy.config.bootstrap.v3.Bootstrap";
  const cases: readonly (readonly [text: string, ...errors: string[]])[] = [
    [
      "{static_resources: {clusters: [{name: a, bogus: 1}], listeners: [{nope: 1}]}}",
      `${root} @ static_resources.clusters[0]: message envoy.config.cluster.v3.Cluster: no such field: 'bogus'`,
      `${root} @ static_resources.listeners[0]: message envoy.config.listener.v3.Listener: no such field: 'nope'`,
    ],
    [
      "{static_resources: {clusters: [{name: 5}]}}",
      `${root} @ static_resources.clusters[0].name: string: expected string, got 5`,
    ],
    [
      "{static_resources: {listeners: {name: a}}}",
      `${root} @ static_resources.listeners: message envoy.config.listener.v3.Listener: unexpected character: '{'; expected '['`,
    ],
    [
      '{static_resources: {listeners: [{filter_chains: [{filters: [{name: x, typed_config: {"@type": type.googleapis.com/nope.Nope}}]}]}]}}',
      `${root} @ static_resources.listeners[0].filter_chains[0].filters[0].typed_config: message google.protobuf.Any: could not find @type 'type.googleapis.com/nope.Nope'`,
    ],
    [
      '{static_resources: {listeners: [{filter_chains: [{filters: [{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, nope: 1}}]}]}]}}',
      `${root} @ static_resources.listeners[0].filter_chains[0].filters[0].typed_config: message envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy: no such field: 'nope'`,
    ],
    [
      "{admin: {address: {pipe: {path: x}, socket_address: {address: 127.0.0.1, port_value: 0}}}}",
      `${root} @ admin.address.socket_address: message envoy.config.core.v3.SocketAddress: 'socket_address' has already been set (either directly or as part of a oneof)`,
    ],
  ];
  for (const [text, ...errors] of cases) test(text, () => assert.deepEqual(errorsOf(text), errors));

  test("durations and enums keep the library's reason", () => {
    const [duration] = errorsOf("{static_resources: {clusters: [{connect_timeout: 5}]}}");
    assert.match(
      duration ?? "",
      /@ static_resources.clusters\[0\].connect_timeout: message google.protobuf.Duration: /,
    );
    const [lbPolicy] = errorsOf("{static_resources: {clusters: [{lb_policy: NOPE}]}}");
    assert.match(
      lbPolicy ?? "",
      /@ static_resources.clusters\[0\].lb_policy: enum .*LbPolicy: .*NOPE/,
    );
  });
});

test("readText() refuses what is no document", () => {
  for (const text of ["", "foo", "{static_resources: [a: b", "a: 1\na: 2", "--- 1\n--- 2"])
    assert.match(errorsOf(text)[0] ?? "", /^Unable to convert YAML as JSON: /, text);
});

test("readText() bounds the expansion of aliases", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i++)
    lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
  assert.match(errorsOf(lines.join("\n"))[0] ?? "", /aliases/);
});

test("readText() bounds nesting", () => {
  assert.equal(errorsOf(`${"[".repeat(100_000)}${"]".repeat(100_000)}`).length, 1);
  const nested = `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`;
  assert.equal(errorsOf(`{"node": {"metadata": ${nested}}}`).length > 0, true);
});

test("writeJson() writes proto field names and reads back as the same message", () => {
  const text = '{"node": {"id": "a", "user_agent_name": "x"}, "stats_flush_interval": "1.500s"}';
  const read = readText(protos, schema, text);
  assert(read.ok);
  assert.deepEqual(writeJson(protos, schema, read.value), JSON.parse(text));
});

test("writeJson() shows what it cannot read", () => {
  const listener = protos.schema<Listener>("envoy.config.listener.v3.Listener");
  const message = create(listener, {
    name: "edge",
    filterChains: [
      {
        filters: [
          {
            name: "x",
            configType: {
              case: "typedConfig",
              value: { typeUrl: "type.googleapis.com/nope.Nope", value: new Uint8Array([1, 2]) },
            },
          },
        ],
      },
    ],
  });
  assert.deepEqual(writeJson(protos, listener, message), {
    name: "edge",
    filter_chains: [
      {
        filters: [
          {
            name: "x",
            typed_config: {
              "@type": "type.googleapis.com/google.protobuf.Struct",
              value: { type_url: "type.googleapis.com/nope.Nope", value: "AQI=" },
            },
          },
        ],
      },
    ],
  });
});
