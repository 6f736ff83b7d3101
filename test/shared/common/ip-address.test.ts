import assert from "node:assert/strict";
import { test } from "node:test";
import { isIP } from "node:net";
import fc from "fast-check";
import { formatIp, parseIp } from "../../../src/shared/common/ip-address.ts";

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
/** Addresses with runs of zeros, which is where the form is decided. */
const sparse16 = fc
  .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
  .map((bytes) => Uint8Array.from(bytes));

test("formatIp() and parseIp() are each other's inverse", () => {
  const bytes = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), bytes16, sparse16);
  fc.assert(
    fc.property(bytes, (ip) => {
      const text = formatIp(ip);
      assert.notEqual(isIP(text), 0, text);
      assert.deepEqual(parseIp(text), ip, text);
    }),
  );
});

test("formatIp() is the canonical form of the URL standard", () => {
  fc.assert(
    fc.property(fc.oneof(bytes16, sparse16), (ip) => {
      const text = formatIp(ip);
      // The URL standard writes mapped addresses in hexadecimal.
      fc.pre(!text.startsWith("::ffff:") || !text.includes("."));
      assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
    }),
  );
});

test("parseIp() knows every spelling", () => {
  const cases: [string, string | undefined][] = [
    ["0:0:0:0:0:0:0:1", "::1"],
    ["::", "::"],
    ["2001:DB8::00:1", "2001:db8::1"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["1::2:0:0:0:3", "1:0:0:2::3"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
    ["::ffff:0a00:1", "::ffff:10.0.0.1"],
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.256", undefined],
    ["fe80::1%lo", undefined],
    ["example.com", undefined],
    ["", undefined],
  ];
  for (const [text, canonical] of cases) {
    const parsed = parseIp(text);
    assert.equal(parsed && formatIp(parsed), canonical, text);
  }
});
