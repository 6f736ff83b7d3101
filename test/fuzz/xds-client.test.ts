import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { delta } from "../../src/control/xds/delta-conversation.ts";
import { sotw } from "../../src/control/xds/sotw-conversation.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { textResource, textType } from "../support/text-resources.ts";
import { anyOf, type SentResource, XdsPeer } from "../support/xds-peer.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);

/** Groups in groups, never closed. */
const groupBomb = new Uint8Array(64).fill(0x0b);
/** Field 1, length-delimited, of 1 GiB, of which nothing comes. */
const hugeLength = new Uint8Array([0x0a, 0x80, 0x80, 0x80, 0x80, 0x04]);
const notUtf8 = textResource("ab", "text");
notUtf8.set([0xff, 0xfe], 2);

function anyBomb(depth: number): Uint8Array {
  let bytes: Uint8Array = new Uint8Array();
  for (let i = 0; i < depth; i++) bytes = anyOf("type.googleapis.com/google.protobuf.Any", bytes);
  return bytes;
}

const name = fc.constantFrom("a", "b", "x", "y", "", "xdstp://h/test.Cluster/x?b=1&a=2", "xdstp:");
const resource: fc.Arbitrary<SentResource> = fc
  .record(
    {
      name,
      text: fc.constantFrom("one two", "two one", "bad"),
      bytes: fc.oneof(
        fc.constantFrom(groupBomb, hugeLength, notUtf8, anyBomb(20)),
        fc.uint8Array({ maxLength: 20 }),
      ),
      version: fc.constantFrom("", "1", "2"),
      ttlSeconds: fc.constantFrom(0, 1, 60),
      aliases: fc.array(name, { maxLength: 2 }),
      innerName: name,
      typeUrl: fc.constantFrom(cds.typeUrl, eds.typeUrl, "", "nonsense"),
      isHeartbeat: fc.boolean(),
    },
    { requiredKeys: ["name"] },
  )
  .map((value) => value as SentResource);
const response = fc.record({
  typeUrl: fc.constantFrom(
    cds.typeUrl,
    eds.typeUrl,
    eds.typeUrl,
    "type.googleapis.com/test.Nobody",
  ),
  resources: fc.array(resource, { maxLength: 5 }),
  removed: fc.array(name, { maxLength: 3 }),
  errors: fc.array(name, { maxLength: 2 }),
  nonce: fc.constantFrom("", "n", "m"),
  version: fc.constantFrom("", "1", "2"),
});
/** A response with bytes replaced, then cut. */
const edits = fc.record({
  replaced: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 }),
  kept: fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    fc.double({ min: 0, max: 1, noNaN: true }),
  ),
});
const message = fc.record({ response, edits: fc.option(edits, { freq: 3, nil: undefined }) });

function edited(
  bytes: Uint8Array,
  { replaced, kept }: { replaced: [number, number][]; kept: number },
) {
  const copy = Uint8Array.from(bytes);
  for (const [at, value] of replaced) if (at < copy.length) copy[at] = value;
  return copy.subarray(0, Math.ceil(kept * copy.length));
}

for (const dialect of [sotw, delta])
  test(`${dialect.streamName}: whatever comes is answered once, given up or ignored, and said why`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
        using peer = new XdsPeer(dialect);
        peer.client.changes$(cds).subscribe();
        for (const wanted of ["x", "y"]) peer.client.resource$(eds, wanted).subscribe();
        for (const { response: sent, edits: changes } of messages) {
          await peer.clock.advance(30_000);
          await peer.heard();
          const call = peer.transport.last;
          const said = peer.lines.length;
          const written = peer.write(sent.typeUrl, sent);
          await call.handlers.received(changes ? edited(written, changes) : written);
          const answers = call.isCancelled ? [] : await peer.heard();
          assert(answers.length <= 1, "answered more than once");
          const [answer] = answers;
          if (answer?.error === undefined && answer) continue;
          // A NACK, a stream that was given up, a type of nobody: each is in the log with its reason.
          assert.notEqual(answer?.error, "");
          assert(peer.lines.slice(said).some((line) => line.startsWith("warning")));
        }
      }),
      fuzzOptions,
    );
  });
