import type { JsonObject } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeContext } from "../../../src/control/config/decode-context.ts";
import { decodeDrainPolicy } from "../../../src/control/config/drain-policies.ts";
import { MessageValidator } from "../../../src/control/proto/message-validator.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import type { DecodeResult } from "../../../src/control/proto/decode-result.ts";
import type { DrainPolicy } from "../../../src/shared/drain/drain.ts";

const protos = createProtoRegistry();
const tools = { protos, validator: new MessageValidator(protos) };

test("a listener without metadata drains by the process's flags", () => {
  assert.deepEqual(decode(undefined), { ok: true, value: {}, warnings: [] });
  assert.deepEqual(decode({}), { ok: true, value: {}, warnings: [] });
});

test("a control plane says in metadata how a listener drains", () => {
  const policy = {
    time: "30s",
    strategy: "immediate",
    idle: "keep",
    idle_grace: "2.5s",
    streams: "finish",
    tcp: "TCP_SPREAD",
    websocket: "close",
    max_generations: 2,
  };
  const expected = {
    timeMs: 30_000,
    strategy: "immediate",
    idle: "keep",
    idleGraceMs: 2_500,
    streams: "finish",
    tcp: "spread",
    webSocket: "close",
    maxGenerations: 2,
  };
  assert.deepEqual(decode(policy), { ok: true, value: expected, warnings: [] });
  assert.deepEqual(decode({ time: "0s" }), { ok: true, value: { timeMs: 0 }, warnings: [] });
});

test("a policy with mistakes is refused, with the key that it stands under", () => {
  for (const bad of [
    { tiem: "30s" },
    { time: "soon" },
    { time: "-1s" },
    { strategy: "LATER" },
    { streams: "keep" },
    { tcp: "cut" },
    { websocket: "keep" },
    { idle_grace: "-1s" },
    { time: "86401s" },
    { idle_grace: "86401s" },
    { max_generations: 0 },
    { max_generations: -1 },
    { max_generations: "many" },
  ]) {
    const result = decode(bad);
    assert(!result.ok, JSON.stringify(bad));
    assert.match(result.errors.join(), /^metadata 'sluice\.drain': /);
  }
});

function decode(struct: JsonObject | undefined): DecodeResult<Partial<DrainPolicy>> {
  const context = new DecodeContext(tools);
  return context.result(decodeDrainPolicy(struct, context));
}
