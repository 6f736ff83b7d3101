/**
 * ClientHellos that nobody would send on purpose, by time budget: reading one never throws, and says the same whether
 * the bytes come at once or one by one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type HelloResult, readClientHello } from "../../src/data/listener-filters/client-hello.ts";
import {
  alpnOf,
  hasKnownVersion,
  serverNameOf,
} from "../../src/data/listener-filters/hello-facts.ts";
import { ja3Of, ja4Of } from "../../src/data/listener-filters/hello-fingerprints.ts";
import { helloOf, record } from "../support/client-hello-bytes.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";

const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }).map((name) => Buffer.concat([Buffer.from([0, 3, 0]), name])),
);
const extension = fc.tuple(fc.constantFrom(0, 10, 11, 13, 16, 21, 43, 0x2a2a), content);
const hello = fc
  .record({
    version: fc.constantFrom(0x0300, 0x0301, 0x0303, 0x0304, 0xffff),
    ciphers: fc.array(fc.nat(0xffff), { maxLength: 20 }),
    extensions: fc.array(extension, { maxLength: 8 }),
  })
  .map(helloOf);
const shortRecord = fc
  .tuple(fc.uint8Array({ maxLength: 20 }), fc.constantFrom(20, 21, 22, 23))
  .map(([bytes, type]) => record(Buffer.from(bytes), type));
const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
const input = fc
  .tuple(
    fc.array(fc.oneof(hello, shortRecord), { minLength: 1, maxLength: 3 }),
    mutations,
    fc.nat(),
  )
  .map(([parts, changes, cut]) => {
    const bytes = Buffer.concat(parts);
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes.subarray(0, cut % 4 === 0 ? cut % bytes.length : bytes.length);
  });

function fuzz(check: (bytes: Buffer) => void): void {
  fc.assert(fc.property(input, check), fuzzOptions);
}

function factsOf(result: HelloResult): unknown {
  if (result.kind !== "hello") return result;
  const { hello: read, length } = result;
  const known = hasKnownVersion(read);
  return [length, known, serverNameOf(read), alpnOf(read), ja3Of(read), ja4Of(read)];
}

test("says the same in pieces, and of what follows nothing", () => {
  fuzz((bytes) => {
    const whole = factsOf(readClientHello(bytes));
    let end = 0;
    let first = readClientHello(bytes.subarray(0, end));
    for (; end < bytes.length && first.kind === "incomplete"; end++)
      first = readClientHello(bytes.subarray(0, end + 1));
    assert.deepEqual(factsOf(first), whole);
    if (first.kind !== "incomplete") assert(first.length <= end);
  });
});

test("what it learns is bounded, and made of printable text", () => {
  fuzz((bytes) => {
    const result = readClientHello(bytes);
    if (result.kind !== "hello") return;
    const name = serverNameOf(result.hello);
    assert(name === undefined || (name.length <= 255 && !name.includes("\0")));
    assert((alpnOf(result.hello) ?? []).every((one) => one.length > 0 && one.length <= 255));
    assert.match(ja3Of(result.hello), /^[0-9a-f]{32}$/);
    assert.match(ja4Of(result.hello), /^t..[di]\d{4}[0-9a-zA-Z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/);
  });
});
