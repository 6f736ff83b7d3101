import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";

const protos = createProtoRegistry();

test("schema() gives a descriptor that reads and writes its message", () => {
  const schema = protos.schema<Listener>("envoy.config.listener.v3.Listener");
  const bytes = toBinary(schema, create(schema, { name: "edge" }));
  assert.equal(fromBinary(schema, bytes).name, "edge");
});

test("find() knows what is in the set and nothing else", () => {
  assert.equal(protos.find("nope.Nope"), undefined);
  assert.equal(protos.find("envoy.config.listener.v3"), undefined);
  // An enum is a type, yet not a message.
  assert.equal(protos.find("envoy.config.core.v3.TrafficDirection"), undefined);
  assert(protos.find("envoy.config.listener.v3.Listener.ConnectionBalanceConfig"));
});

test("types of different files share the descriptors of what both import", () => {
  const cluster = protos.find("envoy.config.cluster.v3.Cluster");
  const field = cluster?.fields.find((f) => f.name === "load_assignment");
  assert.equal(field?.message, protos.find("envoy.config.endpoint.v3.ClusterLoadAssignment"));
});

test("fields that are newer than the carried protos are known", () => {
  const newer = {
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": ["check_drain_close", 24],
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": [
      "drain_timeout_jitter",
      62,
    ],
    "envoy.service.discovery.v3.DiscoveryResponse": ["resource_errors", 7],
    "envoy.service.discovery.v3.DeltaDiscoveryResponse": ["resource_errors", 9],
    "validate.StringRules": ["ignore_empty", 26],
  } as const;
  for (const [typeName, [name, number]] of Object.entries(newer)) {
    const field = protos.find(typeName)?.fields.find((f) => f.name === name);
    assert.equal(field?.number, number, `${typeName}.${name}`);
  }
});

test("extension() gives the options of the validation rules", () => {
  assert.equal(
    protos.extension("validate.rules").extendee.typeName,
    "google.protobuf.FieldOptions",
  );
});
