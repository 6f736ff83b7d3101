import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type GuardedRequest, refusalOf } from "../../../src/shared/common/request-guard.ts";
import type { SocketAddress } from "../../../src/shared/common/address.ts";

const loopback: SocketAddress = { kind: "ip", ip: "127.0.0.1", port: 9901 };

function refusal(
  request: Partial<GuardedRequest>,
  address: SocketAddress = loopback,
  allowedHosts: readonly string[] = [],
): string | undefined {
  const whole = {
    method: "GET",
    host: undefined,
    origin: undefined,
    secFetchSite: undefined,
    ...request,
  };
  const guarded = { guarded: "the admin", allowFlag: "--admin-allowed-host" };
  return refusalOf(whole, { address, allowedHosts, ...guarded });
}

test("refusalOf() takes a Host that is the bound address, and no other name", () => {
  const wildcard: SocketAddress = { kind: "ip", ip: "0.0.0.0", port: 9901 };
  const v6: SocketAddress = { kind: "ip", ip: "::1", port: 9901 };
  const pipe: SocketAddress = { kind: "pipe", path: "/tmp/admin", mode: 0 };
  const table: readonly (readonly [string, SocketAddress, boolean])[] = [
    ["127.0.0.1:9901", loopback, true],
    ["127.0.0.1", loopback, true],
    ["localhost:9901", loopback, true],
    ["LOCALHOST:1", loopback, true],
    ["evil.example:9901", loopback, false],
    ["127.0.0.1.evil.example", loopback, false],
    ["10.0.0.1:9901", loopback, false],
    ["", loopback, false],
    ["[::1]:9901", v6, true],
    ["[0:0:0:0:0:0:0:1]", v6, true],
    ["[::2]", v6, false],
    ["::1", v6, false],
    ["10.1.2.3:9901", wildcard, true],
    ["localhost", wildcard, true],
    ["evil.example", wildcard, false],
    ["anything", pipe, true],
  ];
  for (const [host, address, passes] of table)
    assert.equal(refusal({ host }, address) === undefined, passes, `${host} at ${address.kind}`);
  assert.equal(refusal({ host: "Admin.internal:80" }, loopback, ["admin.internal"]), undefined);
});

test("refusalOf() refuses a POST from another site, and lets curl and our own page pass", () => {
  const host = "127.0.0.1:9901";
  const table: readonly (readonly [Partial<GuardedRequest>, boolean])[] = [
    [{}, true],
    [{ origin: "http://127.0.0.1:9901", secFetchSite: "same-origin" }, true],
    [{ secFetchSite: "none" }, true],
    [{ origin: "http://127.0.0.1:3000" }, false],
    [{ origin: "https://127.0.0.1:9901" }, false],
    [{ origin: "http://evil.example" }, false],
    [{ origin: "null" }, false],
    [{ secFetchSite: "cross-site" }, false],
    [{ secFetchSite: "same-site" }, false],
  ];
  for (const [headers, passes] of table) {
    const refused = refusal({ method: "POST", host, ...headers });
    assert.equal(refused === undefined, passes, JSON.stringify(headers));
  }
  assert.equal(refusal({ host, origin: "http://evil.example" }), undefined);
});

test("refusalOf() never throws and never repeats what a client sent unescaped", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (host, origin) => {
      const refused = refusal({ method: "POST", host, origin }) ?? "";
      assert.match(refused, /^[\x20-\x7e]*$/);
      assert(!refused.includes("<"));
    }),
  );
});
