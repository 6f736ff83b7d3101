/** METADATA as it goes out, and comes in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { metadataBlock } from "../../../../src/data/http/http2/metadata-block.ts";
import { MetadataDecoder } from "../../../../src/data/http/http2/metadata-decoder.ts";

const latin1 = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

test("what goes out comes in, in however many frames", () => {
  const maps = fc.array(fc.tuple(latin1, latin1), { maxLength: 8 }).map((all) => new Map(all));
  const sent = fc.array(fc.tuple(maps, fc.nat()), { maxLength: 4 });
  const property = fc.property(sent, (all) => {
    const decoder = new MetadataDecoder(1024 ** 2);
    for (const [metadata, cut] of all) {
      const block = metadataBlock(metadata);
      const at = block.length === 0 ? 0 : cut % block.length;
      assert.equal(decoder.take(block.slice(0, at), false), undefined);
      assert.deepEqual(decoder.take(block.slice(at), true), metadata);
    }
  });
  fc.assert(property);
});

test("a block may come byte by byte", () => {
  const metadata = new Map([["name", "value".repeat(50)]]);
  const decoder = new MetadataDecoder(1024);
  const block = metadataBlock(metadata);
  for (let at = 0; at < block.length; at++) {
    const taken = decoder.take(block.subarray(at, at + 1), at === block.length - 1);
    assert.deepEqual(taken, at === block.length - 1 ? metadata : undefined);
  }
});

test("all that a stream gets is bounded, in frames and in what they stand for", () => {
  const said = (value: string): Uint8Array => metadataBlock(new Map([["a", value]]));
  const take = (bytesMax: number, ...payloads: readonly Uint8Array[]): readonly unknown[] => {
    const decoder = new MetadataDecoder(bytesMax);
    return payloads.map((each) => {
      const taken = decoder.take(each, true);
      return taken instanceof Map ? taken.size : taken;
    });
  };
  const [ten] = [said("123456")];
  assert.equal(ten?.length, 10);
  assert.deepEqual(take(100, ten, said("1".repeat(86))), [1, 1]);
  assert.deepEqual(take(100, ten, said("1".repeat(87))), [1, "broken"]);
  // A field of the table that is named over and over: 60 bytes that stand for thousands.
  const named = [
    0x40,
    1,
    0x61,
    4,
    0x76,
    0x76,
    0x76,
    0x76,
    ...Array.from({ length: 50 }, () => 0xbe),
  ];
  assert.deepEqual(take(100, Buffer.from(named)), ["broken"]);
  assert.deepEqual(take(10_000, Buffer.from(named)), [1]);
  assert.deepEqual(take(10, new Uint8Array(0), new Uint8Array(0)), [0, 0]);
});
