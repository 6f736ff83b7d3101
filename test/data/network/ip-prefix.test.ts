import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { isLoopback, parseIp, prefixKey } from "../../../src/data/network/ip-prefix.ts";

for (const [text, family, bits] of [
  ["1.2.3.4", 4, 0x01020304n],
  ["::", 6, 0n],
  ["::1", 6, 1n],
  ["2001:db8::1", 6, 0x20010db8000000000000000000000001n],
  ["fe80::1%eth0", 6, 0xfe800000000000000000000000000001n],
  ["::ffff:1.2.3.4", 4, 0x01020304n],
  ["64:ff9b::192.0.2.1", 6, 0x0064ff9b0000000000000000c0000201n],
] as const) {
  test(`parseIp() reads ${text}`, () => assert.deepEqual(parseIp(text), { family, bits }));
}

for (const text of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", ":::", "1::2::3", "12345::", "g::"]) {
  test(`parseIp() refuses "${text}"`, () => assert.equal(parseIp(text), undefined));
}

test("isLoopback() knows 127.0.0.1 and ::1 only", () => {
  const loopback = (text: string) => {
    const address = parseIp(text);
    return address && isLoopback(address);
  };
  assert.deepEqual(["127.0.0.1", "127.0.0.9", "::1", "::2"].map(loopback), [
    true,
    false,
    true,
    false,
  ]);
});

test("prefixKey() agrees with node:net on who is in a subnet", () => {
  const cases = [
    { family: "ipv4", width: 32, address: fc.ipV4() },
    { family: "ipv6", width: 128, address: fc.ipV6() },
  ] as const;
  for (const { family, width, address } of cases) {
    fc.assert(
      fc.property(address, address, fc.nat({ max: width }), (a, b, length) => {
        const [first, second] = [parseIp(a), parseIp(b)];
        assert(first && second);
        // A v4-mapped address is IPv4 here and IPv6 there.
        fc.pre(first.family === second.family && (family === "ipv4") === (first.family === 4));
        const list = new BlockList();
        list.addSubnet(a, length, family);
        const same = prefixKey(first, length) === prefixKey(second, length);
        assert.equal(same, list.check(b, family));
      }),
    );
  }
});
