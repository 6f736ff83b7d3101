import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type HandoverMessage,
  MessageReader,
  encodeMessage,
  handoverVersion,
} from "../../../../src/control/hot-restart/handover/messages.ts";

const plain = { noNullPrototype: true };
const passed = fc.record(
  {
    address: fc.string({ maxLength: 100 }),
    worker: fc.integer({ min: 0, max: 255 }),
    role: fc.constantFrom("proxy" as const, "admin" as const),
  },
  plain,
);
const idle = fc.record(
  { kind: fc.constant("idle" as const), ageMs: fc.nat(), requests: fc.nat() },
  plain,
);
const joined = {
  cluster: fc.string({ maxLength: 256 }),
  host: fc.string({ maxLength: 100 }),
  ageMs: fc.nat(),
  upstreamAgeMs: fc.nat(),
  bytesReceived: fc.maxSafeNat(),
  bytesSent: fc.maxSafeNat(),
};
const proxied = fc.record({ kind: fc.constant("proxied" as const), ...joined }, plain);
const text = fc.string({ maxLength: 100 });
const frame = fc.record(
  {
    missing: fc.nat(),
    headAt: fc.nat(2),
    lengthBytes: fc.nat(8),
    length: fc.nat(),
    isMasked: fc.boolean(),
    hasClose: fc.boolean(),
  },
  plain,
);
const fields = fc.array(fc.tuple(text, text), { maxLength: 5 });
const request = fc.record(
  {
    upgradeType: text,
    upstreamKind: fc.constantFrom("http1" as const, "tcp" as const),
    priority: fc.constantFrom("default" as const, "high" as const),
    limits: fc.record(
      {
        quietMs: fc.nat(),
        tryIdleMs: fc.nat(),
        idleMs: fc.nat(),
        durationMs: fc.oneof(fc.nat(), fc.constant("none" as const)),
        tryEndsInMs: fc.nat(),
      },
      { ...plain },
    ),
    texts: fc.record({ method: text, path: text, requestId: text }, { ...plain, requiredKeys: [] }),
    counts: fc.record(
      {
        minorVersion: fc.nat(),
        responseCode: fc.nat(),
        upstreamAttemptCount: fc.nat(),
        upstreamBytesReceived: fc.maxSafeNat(),
        upstreamBytesSent: fc.maxSafeNat(),
      },
      plain,
    ),
    ages: fc.record(
      { startMs: fc.nat(), upstreamStartAtMs: fc.nat() },
      { ...plain, requiredKeys: [] },
    ),
    forwardedAddress: text,
    requestFields: fields,
    responseFields: fields,
    webSocket: fc.record({ toClient: frame, toHost: frame }, plain),
  },
  plain,
);
const upgraded = fc.record(
  { kind: fc.constant("upgraded" as const), ...joined, request, isTooOld: fc.boolean() },
  plain,
);
const anyMessage: fc.Arbitrary<HandoverMessage> = fc.oneof(
  fc.record({ kind: fc.constant("released" as const) }, plain),
  fc.record({ kind: fc.constant("hello" as const), epoch: fc.nat() }, plain),
  fc.record(
    {
      kind: fc.constant("sockets" as const),
      version: fc.constant(handoverVersion),
      total: fc.integer({ min: 0, max: 100_000 }),
      sockets: fc.array(passed, { maxLength: 20 }),
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant("connections" as const),
      batch: fc.nat(),
      address: fc.string({ maxLength: 100 }),
      connections: fc.array(fc.oneof(idle, proxied, upgraded), { maxLength: 5 }),
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant("taken" as const),
      batch: fc.nat(),
      refused: fc.array(fc.integer({ min: 0, max: 49 }), { maxLength: 50 }),
    },
    plain,
  ),
);

test("messages come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { maxLength: 5 }),
      fc.integer({ min: 1, max: 50 }),
      (messages, step) => {
        const bytes = Buffer.concat(messages.map(encodeMessage));
        const reader = new MessageReader();
        const read: HandoverMessage[] = [];
        for (let at = 0; at < bytes.length; at += step) {
          const result = reader.read(bytes.subarray(at, at + step));
          assert(result.ok);
          read.push(...result.messages);
        }
        assert.deepEqual(read, messages);
      },
    ),
  );
});

test("bytes that are no message are a reason, never a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const result = new MessageReader().read(bytes);
      assert(result.ok || result.reason !== "");
    }),
  );
});

for (const [what, value, reason] of [
  ["another version", { kind: "sockets", version: 2, total: 0, sockets: [] }, /version 2 of the/],
  ["no JSON object", [], /no message/],
  ["another kind", { kind: "drain" }, /no known kind/],
  ["too many", { kind: "sockets", version: 1, total: 1e9, sockets: [] }, /total/],
  ["no role", { kind: "sockets", version: 1, total: 1, sockets: [{ address: "" }] }, /role/],
] as const)
  test(`a frame with ${what} is refused with a reason`, () => {
    const json = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    const result = new MessageReader().read(Buffer.concat([length, json]));
    assert(!result.ok);
    assert.match(result.reason, reason);
  });

test("a frame that says it is too long is not waited for", () => {
  assert.equal(new MessageReader().read(Buffer.from("7fffffff", "hex")).ok, false);
});
