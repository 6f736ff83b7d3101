/** Headers of the PROXY protocol that nobody would send on purpose, by time budget. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readProxyHeader } from "../../src/data/listener-filters/proxy-header.ts";
import { parseIp } from "../../src/shared/common/ip-address.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { version2 } from "../support/proxy-header-bytes.ts";

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom("", "0.0.0.0", "224.0.0.1", "::", "a"),
);
const port = fc.oneof(fc.integer({ min: -2, max: 70_000 }).map(String), fc.constantFrom("", "1x"));
const line = fc
  .record({
    word: fc.constantFrom("PROXY", "PROXY", "PROX", "proxy"),
    family: fc.constantFrom("TCP4", "TCP6", "UNKNOWN", "UDP4", ""),
    parts: fc.tuple(address, address, port, port),
    gap: fc.constantFrom(" ", " ", "  ", "\t"),
    end: fc.constantFrom("\r\n", "\r\n", "\n", "\r", ""),
  })
  .map(({ word, family, parts, gap, end }) =>
    Buffer.from([word, family, ...parts].join(gap) + end),
  );
const binary = fc
  .record({
    source: fc.oneof(fc.ipV4(), fc.ipV6()),
    version: fc.constantFrom(2, 2, 2, 1, 3),
    command: fc.constantFrom(0, 1, 1, 2),
    family: fc.constantFrom(undefined, undefined, 0, 1, 2, 3),
    transport: fc.constantFrom(0, 1, 1, 2, 9),
    length: fc.option(fc.nat(200), { nil: undefined }),
    tlvs: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  })
  .map(({ family, length, ...parts }) =>
    version2({
      ...parts,
      destination: parts.source,
      ...(family !== undefined && { family }),
      ...(length !== undefined && { length }),
    }),
  );
const input = fc
  .tuple(
    fc.oneof(
      line,
      binary,
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
    fc.uint8Array({ maxLength: 20 }),
  )
  .map(([header, changes, rest]) => {
    const bytes = Buffer.concat([header, rest]);
    for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });

function fuzz(check: (bytes: Buffer) => void): void {
  fc.assert(fc.property(input, check), fuzzOptions);
}

test("what is decided of the first bytes holds whatever follows", () => {
  fuzz((bytes) => {
    let end = 0;
    let first = readProxyHeader(bytes.subarray(0, end));
    for (; end < bytes.length && first.kind === "incomplete"; end++)
      first = readProxyHeader(bytes.subarray(0, end + 1));
    if (first.kind === "incomplete") return;
    // A header that was found is the same; of what is refused only that it is.
    const whole = readProxyHeader(bytes);
    if (first.kind === "header") assert.deepEqual(whole, first);
    else assert.match(whole.kind, /^(absent|broken)$/);
  });
});

test("a header that is taken lies within the bytes, and names two addresses of one family", () => {
  fuzz((bytes) => {
    const result = readProxyHeader(bytes);
    if (result.kind === "incomplete")
      assert(result.wanted > bytes.length && result.wanted < 65_552);
    if (result.kind !== "header") return;
    assert(result.length > 0 && result.length <= bytes.length);
    if (!result.addresses) return;
    const { source, destination } = result.addresses;
    assert(source.kind === "ip" && destination.kind === "ip");
    assert(source.port >= 0 && source.port <= 65_535);
    assert.equal(parseIp(source.ip)?.length, parseIp(destination.ip)?.length);
  });
});
