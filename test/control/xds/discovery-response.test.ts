import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDiscoveryResponse } from "../../../src/control/xds/discovery-response.ts";

/** A field of bytes as any serialiser writes it. */
function field(no: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((no << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const typeUrl = fc.constantFrom(
  "type.googleapis.com/a.B",
  "type.googleapis.com/c.D",
  "x".repeat(200),
);
const any = fc.record({
  typeUrl,
  value: fc.uint8Array({ maxLength: 300 }),
  layout: fc.constantFrom("plain", "valueFirst", "unknownAtEnd", "twice", "urlTwice"),
});

function write({
  typeUrl: url,
  value,
  layout,
}: {
  typeUrl: string;
  value: Uint8Array;
  layout: string;
}): Buffer {
  const [first, second] = [field(1, Buffer.from(url)), field(2, value)];
  switch (layout) {
    case "valueFirst":
      return Buffer.concat([second, first]);
    case "unknownAtEnd":
      return Buffer.concat([first, second, field(9, Buffer.from("later"))]);
    case "twice":
      // The last one counts (protobuf encoding, "Last One Wins").
      return Buffer.concat([first, field(2, Buffer.from("overtaken")), second]);
    case "urlTwice":
      return Buffer.concat([field(1, Buffer.from("overtaken")), first, second]);
    default:
      return Buffer.concat([first, second]);
  }
}

test("readDiscoveryResponse() reads every Any alike, however it is laid out", () => {
  fc.assert(
    fc.property(fc.array(any, { maxLength: 8 }), (anys) => {
      const read = readDiscoveryResponse(Buffer.concat(anys.map((one) => field(2, write(one)))));
      assert(read.ok);
      const seen = read.value.resources.map(({ typeUrl: url, bytes }) => [url, Buffer.from(bytes)]);
      assert.deepEqual(
        seen,
        anys.map((one) => [one.typeUrl, Buffer.from(one.value)]),
      );
    }),
  );
});
