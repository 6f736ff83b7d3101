import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionLimitOf, runtimeValue } from "../../../src/control/server/runtime-values.ts";
import type { RuntimeLayer } from "../../../src/control/config/bootstrap-config.ts";

const key = "envoy.resource_limits.listener.l1.connection_limit";
const layer = (values: RuntimeLayer["values"]): RuntimeLayer => ({
  name: "",
  kind: "static",
  values,
});

test("runtimeValue() takes the last layer that has the key, also where its value is false", () => {
  const layers = [layer({ a: true, b: 1 }), layer({ a: false })];
  assert.equal(runtimeValue(layers, "a"), false);
  assert.equal(runtimeValue(layers, "b"), 1);
  assert.equal(runtimeValue(layers, "c"), undefined);
});

test("connectionLimitOf() reads the listener's key and ignores what is no limit", () => {
  assert.equal(connectionLimitOf([layer({ [key]: 5 })])("l1"), 5);
  assert.equal(connectionLimitOf([layer({ [key]: "7" })])("l1"), 7);
  assert.equal(connectionLimitOf([layer({ [key]: 5 })])("l2"), undefined);
  for (const bad of [-1, "x", true])
    assert.equal(connectionLimitOf([layer({ [key]: bad })])("l1"), undefined);
});
