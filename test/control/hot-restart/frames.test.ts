import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameReader, frame } from "../../../src/control/hot-restart/frames.ts";

test("frame() and FrameReader give every message back, however many there are", () => {
  const message = fc.uint8Array({ maxLength: 20_000 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      const reader = new FrameReader();
      const read = messages.flatMap((one) =>
        frame(one).flatMap((chunk) => {
          assert(chunk.length <= 4096);
          const result = reader.read(chunk);
          assert.notEqual(result.kind, "garbage");
          return result.kind === "message" ? [Buffer.from(result.bytes)] : [];
        }),
      );
      assert.deepEqual(
        read,
        messages.map((one) => Buffer.from(one)),
      );
    }),
  );
});

test("the length is eight bytes, big-endian, before the first byte", () => {
  const [only] = frame(Uint8Array.of(9, 8));
  assert.deepEqual([...(only ?? [])], [0, 0, 0, 0, 0, 0, 0, 2, 9, 8]);
});

test("what is no frame is told, and the next message is read", () => {
  const reader = new FrameReader();
  assert.deepEqual(reader.read(Uint8Array.of(1, 2)), {
    kind: "garbage",
    reason: "a datagram of 2 bytes has no length",
  });
  assert.equal(reader.read(new Uint8Array(8).fill(255)).kind, "garbage");
  const [cut] = frame(Uint8Array.of(1));
  assert.equal(reader.read(Buffer.concat([cut ?? new Uint8Array(), Buffer.of(0)])).kind, "garbage");
  assert.deepEqual(reader.read(frame(Uint8Array.of(7))[0] ?? new Uint8Array()), {
    kind: "message",
    bytes: Buffer.of(7),
  });
});

test("FrameReader takes any bytes without throwing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (datagrams) => {
      const reader = new FrameReader();
      for (const datagram of datagrams) reader.read(datagram);
    }),
  );
});

test("of a message whose sender died half way the rest is not waited for", () => {
  const reader = new FrameReader();
  const [first] = frame(new Uint8Array(10_000));
  const [next] = frame(Uint8Array.of(7));
  assert.equal(reader.read(first ?? new Uint8Array(), 1).kind, "more");
  assert.deepEqual(reader.read(next ?? new Uint8Array(), 2), {
    kind: "message",
    bytes: Buffer.of(7),
  });
  // The same sender, whose chunks are full but for the last.
  assert.equal(reader.read(first ?? new Uint8Array(), 2).kind, "more");
  assert.equal(reader.read(next ?? new Uint8Array(), 2).kind, "garbage");
  assert.equal(reader.read(next ?? new Uint8Array(), 2).kind, "message");
});
