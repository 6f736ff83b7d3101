/**
 * HTTP/2 from clients that nobody would write, for ten seconds: the decoder against another one of HPACK, and whole
 * connections of frames, each of which ends by itself or by its client, with nothing left of it and no bug met.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import hpack from "hpack.js";
import { clientPreface, frameType } from "../../src/data/http/http2/frames.ts";
import { MetadataDecoder } from "../../src/data/http/http2/metadata-decoder.ts";
import { pseudo } from "../../src/data/http/http2/header-entry.ts";
import { http2Stats } from "../../src/shared/stats/stat-names.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { startHttpUpstream } from "../support/http-peers.ts";
import { connectHttp2, request } from "../support/http2-client.ts";
import { http2Options } from "../support/http2-options.ts";
import { startProxy } from "../support/http-proxy.ts";
import { BlockDecoder, BlockEncoder, type PlainField } from "../support/hpack-peers.ts";
import { block, frame, RawHttp2Client, requestBlock } from "../support/raw-http2.ts";
import { forEachWorkerKind } from "../support/test-workers.ts";

const names = ["x-a", "x-b", ":path", ":status", "content-type", "cookie", "te"] as const;

/** Blocks that were right, with bytes changed; and bytes. */
const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
const plainFields = fc.array(
  fc.tuple(
    fc.constantFrom(...names),
    fc.stringMatching(/^[ -~]{0,12}$/),
  ) satisfies fc.Arbitrary<PlainField>,
  { maxLength: 6 },
);
const blocks = fc.array(fc.tuple(plainFields, mutations, fc.uint8Array({ maxLength: 8 })), {
  minLength: 1,
  maxLength: 5,
});

test("header blocks, against another decoder", () => {
  const property = fc.property(blocks, (parts) => {
    const encoder = new BlockEncoder();
    const [ours, again] = [new BlockDecoder(), new BlockDecoder()];
    const other = hpack.decompressor.create({ table: { maxSize: 4096 } });
    for (const [fields, changes, behind] of parts) {
      const bytes = Buffer.concat([encoder.encode(fields), behind]);
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      const decoded = ours.decode(bytes);
      // What lies around the block is not read.
      assert.deepEqual(again.decode(bytes, undefined, 0xff), decoded);
      // The other one takes some blocks that RFC 7541 does not: never the reverse.
      if (!decoded.isDecoded) return;
      const expected = decodedBy(other, bytes);
      if (!decoded.isRefused)
        assert.deepEqual(allOf(decoded), expected.filter(isPlain).map(trimmed));
    }
  });
  fc.assert(property, fuzzOptions);
});

test("blocks of METADATA, against another decoder", () => {
  const property = fc.property(plainFields, mutations, fc.nat(), (fields, changes, cut) => {
    const bytes = Buffer.from(new BlockEncoder().encode(fields));
    for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    const decoder = new MetadataDecoder(1024);
    const at = bytes.length === 0 ? 0 : cut % bytes.length;
    assert.equal(decoder.take(bytes.subarray(0, at), false), undefined);
    const decoded = decoder.take(bytes.subarray(at), true);
    if (decoded === "broken") return;
    const other = hpack.decompressor.create({ table: { maxSize: 4096 } });
    // Of a name that comes twice the first value stands.
    assert.deepEqual(decoded, new Map(decodedBy(other, bytes).toReversed()));
  });
  fc.assert(property, fuzzOptions);
});

const id = fc.constantFrom(0, 1, 1, 3, 3, 5, 2, 2 ** 31 - 1);
const word = fc.integer({ min: 0, max: 0xff_ff_ff_ff }).map((value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
});
const payload = fc.oneof(
  fc.constantFrom(
    requestBlock(),
    requestBlock([["content-length", "5"]], { ":method": "POST" }),
    requestBlock([["expect", "100-continue"]], { ":method": "PUT" }),
    requestBlock([], { ":method": "CONNECT" }),
    block([["x-trailer", "a"]]),
    Buffer.from("hello"),
    Buffer.alloc(0),
    Buffer.from([0, 4, 0, 0, 0, 0]),
    Buffer.from([0, 4, 0, 0, 0, 9]),
  ),
  word,
  fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes)),
);
const frames = fc.array(
  fc.tuple(
    fc.constantFrom(...Object.values(frameType), frameType.headers, frameType.data, 0xbe),
    fc.constantFrom(0, 1, 4, 5, 5, 0xd, 0x25, 0xff),
    id,
    payload,
  ),
  { maxLength: 12 },
);
const wire = fc.record({ frames, mutations, hasPreface: fc.constantFrom(true, true, true, false) });

forEachWorkerKind("connections of frames leave nothing behind", {}, async (workers) => {
  await using upstream = await startHttpUpstream((_, response) => response.end("ok"));
  const manager = {
    delayedCloseTimeoutMs: 100,
    http2: http2Options({ allowsMetadata: true, maxMetadataBytes: 64 }),
  };
  const proxy = await startProxy(workers, upstream.port, { manager });
  const property = fc.asyncProperty(
    wire,
    async ({ frames: sent, mutations: changes, hasPreface }) => {
      const client = new RawHttp2Client(proxy.listener.port);
      const bytes = Buffer.concat(
        sent.map(([type, flags, of, body]) => frame(type, flags, of, body)),
      );
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      client.send(...(hasPreface ? [] : [clientPreface]), bytes);
      // Frames may break off: what is left of them goes with the connection.
      client.finish();
      await client.ended();
      client.destroy();
    },
  );
  await fc.assert(property, fuzzOptions);
  await proxy.settled();
  assert.equal(workers.stat(http2Stats, proxy.listener.slots.http2, "streams_active"), 0);
  const session = await connectHttp2(proxy.listener.port);
  assert.equal((await request(session, { ":path": "/" })).body, "ok");
  session.close();
  await proxy.settled();
});

function decodedBy(
  other: ReturnType<typeof hpack.decompressor.create>,
  bytes: Uint8Array,
): PlainField[] {
  other.write(bytes);
  other.execute();
  const fields: PlainField[] = [];
  for (let each = other.read(); each !== null; each = other.read())
    fields.push([each.name, each.value]);
  return fields;
}

/** Fields are in order; pseudo-headers are told apart by their kind. */
function isPlain([name]: PlainField): boolean {
  return !name.startsWith(":");
}

function allOf({
  fields,
  pseudoHeaders,
}: ReturnType<BlockDecoder["decode"]>): readonly PlainField[] {
  assert.ok(pseudoHeaders.size < Object.keys(pseudo).length);
  return fields;
}

/** Envoy tolerates blanks around values, and so do we. */
function trimmed([name, value]: PlainField): PlainField {
  return [name, value.replace(/^[ \t]+|[ \t]+$/g, "")];
}
