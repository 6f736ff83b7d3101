import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readJson } from "../../../src/control/proto/json.ts";
import { MessageValidator } from "../../../src/control/proto/message-validator.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import type { JsonValue } from "../../../src/control/proto/yaml.ts";

const protos = createProtoRegistry();
const validator = new MessageValidator(protos);

function violations(typeName: string, json: JsonValue): readonly string[] {
  const schema = protos.schema(typeName);
  const read = readJson(protos, schema, json);
  assert(read.ok, read.ok ? "" : read.errors.join("\n"));
  return validator.validate(schema, read.value);
}

/** The chain of causes from a bootstrap's listener or cluster down. */
const embedded = "embedded message failed validation | caused by ";
const inListener = `BootstrapValidationError.StaticResources: ${embedded}StaticResourcesValidationError.Listeners[0]: ${embedded}`;
const inCluster = `BootstrapValidationError.StaticResources: ${embedded}StaticResourcesValidationError.Clusters[0]: ${embedded}`;
const listener = (json: JsonValue): JsonValue => ({ static_resources: { listeners: [json] } });
const cluster = (json: JsonValue): JsonValue => ({ static_resources: { clusters: [json] } });

describe("validate() words a violation as Envoy 1.40 does", () => {
  // Each expectation was printed by `envoy --mode validate` for the same bootstrap.
  const cases: readonly (readonly [name: string, bootstrap: JsonValue, text: string])[] = [
    [
      "a number above its limit",
      listener({ address: { socket_address: { address: "1.1.1.1", port_value: 70000 } } }),
      `${inListener}ListenerValidationError.Address: ${embedded}AddressValidationError.SocketAddress: ${embedded}SocketAddressValidationError.PortValue: value must be less than or equal to 65535`,
    ],
    [
      "a duration that must be positive",
      cluster({ name: "a", connect_timeout: "0s" }),
      `${inCluster}ClusterValidationError.ConnectTimeout: value must be greater than 0s`,
    ],
    [
      "an empty string",
      cluster({ connect_timeout: "1s" }),
      `${inCluster}ClusterValidationError.Name: value length must be at least 1 characters`,
    ],
    [
      "an enum's unknown number",
      cluster({ name: "a", lb_policy: 77 }),
      `${inCluster}ClusterValidationError.LbPolicy: value must be one of the defined enum values`,
    ],
    [
      "a oneof without a choice",
      { admin: { address: {} } },
      `BootstrapValidationError.Admin: ${embedded}AdminValidationError.Address: ${embedded}field: "address", reason: is required`,
    ],
    [
      "a range of durations, as Go prints them",
      { stats_flush_interval: "0s" },
      "BootstrapValidationError.StatsFlushInterval: value must be inside range [1ms, 5m0s)",
    ],
    [
      "an item of a list",
      listener({ filter_chains: [{ filters: [{}] }] }),
      `${inListener}ListenerValidationError.FilterChains[0]: ${embedded}FilterChainValidationError.Filters[0]: ${embedded}FilterValidationError.Name: value length must be at least 1 characters`,
    ],
    [
      "a wrapped number outside its range",
      listener({ filter_chains: [{ filter_chain_match: { destination_port: 0 } }] }),
      `${inListener}ListenerValidationError.FilterChains[0]: ${embedded}FilterChainValidationError.FilterChainMatch: ${embedded}FilterChainMatchValidationError.DestinationPort: value must be inside range [1, 65535]`,
    ],
  ];
  for (const [name, bootstrap, text] of cases) {
    test(name, () => {
      assert.deepEqual(violations("envoy.config.bootstrap.v3.Bootstrap", bootstrap), [
        `Proto constraint validation failed (${text})`,
      ]);
    });
  }
});

test("validate() tells every violation at once", () => {
  const found = violations("envoy.config.listener.v3.Listener", {
    address: { pipe: { path: "", mode: 1000 } },
    filter_chains: [{ filters: [{}] }, { filters: [{}] }],
  });
  assert.deepEqual(
    found.map((text) => /(\w+: value [^)]*)\)$/.exec(text)?.[1]),
    [
      "Path: value length must be at least 1 characters",
      "Mode: value must be less than or equal to 511",
      "Name: value length must be at least 1 characters",
      "Name: value length must be at least 1 characters",
    ],
  );
});

test("validate() requires a message field that the rules require", () => {
  assert.deepEqual(violations("envoy.config.route.v3.Route", { route: { cluster: "a" } }), [
    "Proto constraint validation failed (RouteValidationError.Match: value is required)",
  ]);
});

test("validate() judges headers by the lax pattern where the rule is not strict", () => {
  const header = "envoy.config.core.v3.HeaderValue";
  assert.deepEqual(violations(header, { key: "a b", value: "\u0001" }), []);
  assert.deepEqual(violations(header, { key: "a", value: "b\nc" }), [
    'Proto constraint validation failed (HeaderValueValidationError.Value: value does not match regex pattern "^[^\\x00\\n\\r]*$")',
  ]);
});

test("validate() compiles every type of the set", () => {
  const bootstrap = protos.find("envoy.config.bootstrap.v3.Bootstrap");
  assert(bootstrap);
  for (const file of bootstrap.file.dependencies.filter((f) => f.name.startsWith("envoy")))
    for (const desc of file.messages) violations(desc.typeName, {});
});
