import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameReader } from "../../../../src/data/http/filters/grpc-frames.ts";
import { grpcFrame } from "../../../support/grpc-frames.ts";
import { cut } from "../../../support/cut.ts";

const messages = fc.array(
  fc.record({ flags: fc.nat(255), body: fc.uint8Array({ maxLength: 40 }) }),
  { maxLength: 12 },
);

test("messages are counted once, wherever the body is cut", () => {
  const property = fc.property(messages, fc.array(fc.nat(600)), (sent, cuts) => {
    const body = Buffer.concat(
      sent.map(({ flags, body: bytes }) => grpcFrame(Buffer.from(bytes), flags)),
    );
    const counter = new FrameReader();
    const counted = cut(body, cuts).reduce((sum, part) => sum + counter.count(part), 0);
    assert.equal(counted, sent.length);
  });
  fc.assert(property);
});

test("any bytes are read, and none twice", () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.nat(300)),
    (bytes, cuts) => {
      const whole = new FrameReader().count(bytes);
      const counter = new FrameReader();
      const counted = cut(bytes, cuts).reduce((sum, part) => sum + counter.count(part), 0);
      assert.equal(counted, whole);
      assert(whole <= Math.ceil(bytes.length / 5));
    },
  );
  fc.assert(property);
});

test("a message that is longer than what a number of 32 bits holds signed is one", () => {
  const counter = new FrameReader();
  assert.equal(counter.count(Buffer.from([0, 0xff, 0xff, 0xff, 0xff])), 1);
  assert.equal(counter.count(new Uint8Array(100)), 0);
});
