/** The PROXY header that is written is the one that is read, in both versions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readProxyHeader } from "../../../src/data/listener-filters/proxy-header.ts";
import { proxyHeaderBytes } from "../../../src/data/network/proxy-header-bytes.ts";
import type { SocketAddress } from "../../../src/shared/common/address.ts";
import { formatIp } from "../../../src/shared/common/ip-address.ts";

const endpoint = (bytes: number): fc.Arbitrary<SocketAddress> =>
  fc
    .tuple(fc.uint8Array({ minLength: bytes, maxLength: bytes }), fc.nat(65_535))
    // Whom the reader takes for a host: neither any address nor a group's.
    .map(([ip, port]) => ({ kind: "ip", ip: formatIp(ip.fill(10, 0, 1)), port }));
const pair = fc.constantFrom(4, 16).chain((bytes) => fc.tuple(endpoint(bytes), endpoint(bytes)));

test("what is written reads as the same addresses", () => {
  fc.assert(
    fc.property(fc.constantFrom("v1", "v2"), pair, (version, [source, destination]) => {
      const bytes = proxyHeaderBytes(version, source, destination);
      const read = readProxyHeader(Buffer.concat([bytes, Buffer.alloc(120, "x")]));
      assert.deepEqual(read, {
        kind: "header",
        version,
        length: bytes.length,
        addresses: { source, destination },
      });
    }),
  );
});

test("where there are no addresses of one family it says that nothing is known", () => {
  const ip4: SocketAddress = { kind: "ip", ip: "10.0.0.1", port: 1 };
  const ip6: SocketAddress = { kind: "ip", ip: "::1", port: 1 };
  const pipe: SocketAddress = { kind: "pipe", path: "/a", mode: 0 };
  for (const [source, destination] of [
    [ip4, ip6],
    [ip6, ip4],
    [pipe, pipe],
  ] as const) {
    for (const version of ["v1", "v2"] as const) {
      const bytes = proxyHeaderBytes(version, source, destination);
      const read = readProxyHeader(Buffer.concat([bytes, Buffer.alloc(120, "x")]));
      assert.deepEqual(read, {
        kind: "header",
        version,
        length: bytes.length,
        addresses: undefined,
      });
    }
  }
});
