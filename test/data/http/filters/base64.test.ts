/** Base64 both ways, in parts that are cut anywhere, beside Node's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Base64Decoder } from "../../../../src/data/http/filters/base64-decoder.ts";
import { Base64Frames } from "../../../../src/data/http/filters/base64-frames.ts";
import { cut } from "../../../support/cut.ts";
import { grpcFrame } from "../../../support/grpc-frames.ts";

const bytes = fc.uint8Array({ maxLength: 50 }).map((each) => Buffer.from(each));
const cuts = fc.array(fc.nat(500), { maxLength: 8 });

function decoded(text: Buffer, at: readonly number[]): Buffer | undefined {
  const decoder = new Base64Decoder();
  const parts: Uint8Array[] = [];
  for (const part of cut(text, at)) {
    const next = decoder.decode(part);
    if (next === undefined) return undefined;
    parts.push(next);
  }
  return decoder.isBetween ? Buffer.concat(parts) : undefined;
}

test("texts behind one another are read, each with its padding, wherever they are cut", () => {
  const property = fc.property(fc.array(bytes, { maxLength: 5 }), cuts, (all, at) => {
    const text = all.map((each) => each.toString("base64")).join("");
    assert.deepEqual(decoded(Buffer.from(text), at), Buffer.concat(all));
  });
  fc.assert(property);
});

test("what is read has no other spelling, and is read the same in any parts", () => {
  const character = fc.constantFrom("A", "Q", "g", "w", "/", "+", "=", "b", "-", "_", "\n", " ");
  const property = fc.property(fc.string({ unit: character, maxLength: 12 }), cuts, (text, at) => {
    const whole = decoded(Buffer.from(text), []);
    assert.deepEqual(decoded(Buffer.from(text), at), whole);
    if (whole === undefined) return;
    const again = text.replaceAll(/=+/g, (padding) => `${padding}|`).split("|");
    const written = again.map((each) => Buffer.from(each, "base64").toString("base64")).join("");
    assert.equal(written, text);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test("each message is a text of its own, wherever the body is cut", () => {
  const property = fc.property(fc.array(bytes, { maxLength: 5 }), bytes, cuts, (all, rest, at) => {
    const frames = all.map((each) => grpcFrame(each));
    const tail = grpcFrame(rest).subarray(0, rest.length);
    const encoder = new Base64Frames();
    const parts = cut(Buffer.concat([...frames, tail]), at).map((part) => encoder.encode(part));
    const text = Buffer.concat([...parts, encoder.end()]).toString();
    assert.equal(text, [...frames, tail].map((each) => each.toString("base64")).join(""));
  });
  fc.assert(property);
});
