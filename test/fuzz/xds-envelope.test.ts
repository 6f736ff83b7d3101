import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDiscoveryResponse } from "../../src/control/xds/discovery-response.ts";
import { readDeltaResponse } from "../../src/control/xds/delta-response.ts";
import { peekName } from "../../src/control/xds/received-resource.ts";
import { writeDeltaResponse } from "../../src/xds-server/delta-wire.ts";
import { writeDiscoveryResponse } from "../../src/xds-server/discovery-wire.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { textResource } from "../support/text-resources.ts";

const typeUrl = "type.googleapis.com/test.Text";
const good = writeDiscoveryResponse({
  version: "v1",
  nonce: "n1",
  typeUrl,
  resources: [
    { typeUrl, bytes: textResource("a", "one") },
    { typeUrl, bytes: textResource("b", "two".repeat(100)) },
  ],
});

/** A good message with bytes replaced, then cut: deeper than noise ever gets. */
const mutated = fc
  .record({
    edits: fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 6,
    }),
    length: fc.nat(good.length),
  })
  .map(({ edits, length }) => {
    const bytes = Uint8Array.from(good);
    for (const [at, value] of edits) bytes[at] = value;
    return bytes.subarray(0, length);
  });

const goodDelta = writeDeltaResponse({
  version: "v1",
  nonce: "n1",
  typeUrl,
  resources: [{ name: "a", version: "1", typeUrl, bytes: textResource("a", "one") }],
  removedNames: ["b"],
});

test("readDeltaResponse() never throws, and names what it can", () => {
  const read = readDeltaResponse(goodDelta);
  assert(read.ok && read.value.resources[0]?.name === "a");
  const edited = fc
    .record({
      edits: fc.array(fc.tuple(fc.nat(goodDelta.length - 1), fc.nat(255)), { maxLength: 6 }),
      length: fc.nat(goodDelta.length),
    })
    .map(({ edits, length }) => {
      const bytes = Uint8Array.from(goodDelta);
      for (const [at, value] of edits) bytes[at] = value;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), edited), (bytes) => {
      const result = readDeltaResponse(bytes);
      if (!result.ok) return result.error.length > 0;
      return result.value.resources.every(
        ({ name, fault }) => name !== undefined || (fault ?? "").length > 0,
      );
    }),
    fuzzOptions,
  );
});

test("readDiscoveryResponse() reads what is good", () => {
  const read = readDiscoveryResponse(good);
  assert(read.ok);
  assert.deepEqual(
    read.value.resources.map(({ name }) => name),
    ["a", "b"],
  );
});

test("readDiscoveryResponse() never throws, and names what it can", () => {
  const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated);
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const read = readDiscoveryResponse(bytes);
      if (!read.ok) return read.error.length > 0;
      return read.value.resources.every(
        ({ name }) => name === undefined || typeof name === "string",
      );
    }),
    fuzzOptions,
  );
});

test("what is read is what was written, long or short, and lies inside the message", () => {
  const anyText = fc.oneof(fc.string(), fc.string({ minLength: 200, maxLength: 40_000 }));
  const anyResource = fc.tuple(
    fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" }),
    anyText,
  );
  fc.assert(
    fc.property(fc.array(anyResource), (sent) => {
      const resources = sent.map(([name, text]) => ({ typeUrl, bytes: textResource(name, text) }));
      const read = readDiscoveryResponse(
        writeDiscoveryResponse({ version: "1", nonce: "1", typeUrl, resources }),
      );
      assert(read.ok);
      assert.deepEqual(
        read.value.resources.map(({ name, bytes }) => [name, Buffer.from(bytes).toString("hex")]),
        resources.map(({ bytes }, i) => [sent[i]?.[0], Buffer.from(bytes).toString("hex")]),
      );
    }),
  );
});

test("peekName() never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const name = peekName(bytes);
      return name === undefined || typeof name === "string";
    }),
  );
});
