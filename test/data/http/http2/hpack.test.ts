/** HPACK against another implementation of it: what one writes the other reads, whatever came before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import hpack from "hpack.js";
import { pseudo } from "../../../../src/data/http/http2/header-entry.ts";
import { BlockDecoder, BlockEncoder, type PlainField } from "../../../support/hpack-peers.ts";

/** Few, so that tables are hit; some of the static table, some that are never indexed, some large. */
const name = fc.constantFrom("x-a", "x-b", "content-type", "etag", "authorization", "set-cookie");
const value = fc.oneof(
  fc.constantFrom("", "a", "text/html", "gzip, deflate"),
  fc.stringMatching(/^[!-~]{1,20}$/),
  fc.integer({ min: 100, max: 3_000 }).map((length) => "v".repeat(length)),
  // Large ones that come again, so that they push each other out.
  fc.integer({ min: 1, max: 4 }).map((times) => String(times).repeat(times * 450)),
);
const field = fc.tuple(name, value) satisfies fc.Arbitrary<PlainField>;
const block = fc.array(field, { maxLength: 12 });

test("what we encode is read by another decoder", () => {
  const step = fc.record({
    fields: block,
    status: fc.constantFrom(0, 200, 304, 418, 503),
    /** Of the peer, before the block. */
    limit: fc.option(fc.constantFrom(0, 100, 1_000, 4_096), { nil: undefined, freq: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.boolean(), (steps, usesHuffman) => {
      const ours = new BlockEncoder({ usesHuffman });
      const other = hpack.decompressor.create({ table: { maxSize: 4096 } });
      for (const { fields, status, limit } of steps) {
        if (limit !== undefined) ours.setPeerLimit(limit);
        other.write(ours.encode(fields, status));
        other.execute();
        const head = status === 0 ? [] : [[":status", String(status)]];
        assert.deepEqual(readAll(other), [...head, ...fields]);
      }
    }),
  );
});

test("what another encoder writes is read by us", () => {
  const sent = fc.record({
    // It looks values up in plain objects.
    field: field.filter(([, text]) => !(text in Object.prototype)),
    incremental: fc.boolean(),
    huffman: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.array(sent, { maxLength: 12 }), { maxLength: 8 }), (blocks) => {
      const other = hpack.compressor.create({ table: { maxSize: 4096 } });
      const ours = new BlockDecoder();
      for (const fields of blocks) {
        other.write(fields.map(({ field: [of, is], ...how }) => ({ name: of, value: is, ...how })));
        const decoded = ours.decode(written(other));
        assert.ok(decoded.isDecoded && !decoded.isRefused);
        assert.deepEqual(
          decoded.fields,
          fields.map((each) => each.field),
        );
        assert.ok(ours.tableSize <= 4096);
      }
    }),
  );
});

test("what we encode is read by us, after any change of the table's size", () => {
  const step = fc.record({ fields: block, limit: fc.nat({ max: 4_096 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), fc.boolean(), (steps, usesHuffman) => {
      const encoder = new BlockEncoder({ usesHuffman });
      const decoder = new BlockDecoder();
      for (const { fields, limit } of steps) {
        encoder.setPeerLimit(limit);
        const decoded = decoder.decode(encoder.encode(fields, 200));
        assert.ok(decoded.isDecoded);
        assert.deepEqual(decoded.fields, fields);
        assert.deepEqual(decoded.pseudoHeaders, new Map([[pseudo.status, "200"]]));
        assert.ok(decoder.tableSize <= limit);
      }
    }),
  );
});

test("a line enters the table when it comes again, one that does not leaves it as it is", () => {
  const encoder = new BlockEncoder();
  const decoder = new BlockDecoder();
  const lengthOf = (...fields: PlainField[]): number => {
    const block = encoder.encode(fields);
    assert.deepEqual(decoder.decode(block).fields, fields);
    return block.length;
  };
  const same: PlainField = ["x-a", "the same each time"];
  const literal = lengthOf(same);
  assert.equal(decoder.tableSize, 0);
  assert.equal(lengthOf(same), literal);
  assert.equal(decoder.tableSize, 32 + "x-a".length + "the same each time".length);
  assert.equal(lengthOf(same), 1);
  for (let i = 0; i < 1_000; i++) lengthOf(["x-b", `another ${i}`]);
  assert.equal(lengthOf(same), 1);
  for (let i = 0; i < 3; i++) lengthOf(["authorization", "a secret"]);
  assert.equal(lengthOf(same), 1);
  assert.equal(decoder.tableSize, 32 + "x-a".length + "the same each time".length);
});

test("a block that is refused leaves the table in step", () => {
  fc.assert(
    fc.property(
      fc.array(block, { minLength: 2, maxLength: 6 }),
      fc.nat(400),
      (blocks, bytesMax) => {
        const encoder = new BlockEncoder();
        const decoder = new BlockDecoder();
        const [last = [], ...before] = blocks;
        for (const fields of before) {
          const limits = { bytesMax, countMax: 3 };
          assert.ok(decoder.decode(encoder.encode(fields), limits).isDecoded);
        }
        assert.deepEqual(decoder.decode(encoder.encode(last)).fields, last);
      },
    ),
  );
});

test("strings are Huffman's where that is asked for, and makes them shorter", () => {
  const lengthOf = (text: string, usesHuffman: boolean): number =>
    new BlockEncoder({ usesHuffman }).encode([["x-a", text]]).length;
  const [short, long] = ["aeiost".repeat(20), "\u00ff".repeat(120)];
  assert.equal(lengthOf(short, false) - lengthOf(short, true), 120 * (3 / 8));
  assert.equal(lengthOf(long, true), lengthOf(long, false));
  const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i));
  const text = bytes.filter((byte) => !"\r\n".includes(byte)).join("") + short.repeat(10);
  const block = new BlockEncoder({ usesHuffman: true }).encode([["x-a", text]]);
  assert.ok(block.length < text.length);
  assert.deepEqual(new BlockDecoder().decode(block).fields, [["x-a", text]]);
});

test("Huffman codes of every byte, and padding that is none", () => {
  const other = hpack.compressor.create({ table: { maxSize: 0 } });
  // As many as are visible: the other one writes text by UTF-8.
  const text = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).join("");
  other.write([{ name: "x", value: text, incremental: false, huffman: true }]);
  assert.deepEqual(new BlockDecoder().decode(written(other)).fields, [["x", text]]);
  const huffman = (...bytes: number[]): boolean =>
    new BlockDecoder().decode(Uint8Array.of(0, 1, 0x78, 0x80 | bytes.length, ...bytes)).isDecoded;
  assert.equal(huffman(0x1f), true, "a, and three ones");
  assert.equal(huffman(0x1e), false, "padding that is not all ones");
  assert.equal(huffman(0x1f, 0xff), false, "padding of more than seven bits");
  assert.equal(huffman(0xff, 0xff, 0xff, 0xff), false, "EOS");
});

test("integers and indexes that no table has are refused", () => {
  const isDecoded = (...bytes: number[]): boolean =>
    new BlockDecoder().decode(Uint8Array.from(bytes)).isDecoded;
  assert.equal(isDecoded(0x80), false, "index 0");
  assert.equal(isDecoded(0x80 | 62), false, "beyond an empty table");
  assert.equal(isDecoded(0xff, 0x80), false, "an integer that breaks off");
  assert.equal(isDecoded(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), false, "an integer too large");
  assert.equal(isDecoded(0x82, 0x3f, 0xe1, 0x1f), false, "a size update after a field");
  assert.equal(isDecoded(0x20, 0x20, 0x20), false, "more updates than a shrink and a growth");
  assert.equal(isDecoded(0x3f, 0xe2, 0x1f), false, "a table larger than we allow");
  assert.equal(isDecoded(0x3f, 0xe1, 0x1f, 0x82), true);
  assert.equal(isDecoded(0x00, 0x05, 0x78), false, "a string that breaks off");
});

function readAll(from: { read(): { name: string; value: string } | null }): PlainField[] {
  const fields: PlainField[] = [];
  for (let each = from.read(); each !== null; each = from.read())
    fields.push([each.name, each.value]);
  return fields;
}

function written(from: { read(): Buffer | null }): Buffer {
  const parts: Buffer[] = [];
  for (let part = from.read(); part !== null; part = from.read()) parts.push(part);
  return Buffer.concat(parts);
}
