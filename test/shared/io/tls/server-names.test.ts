import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import { findByName, hostNamesOf } from "../../../../src/shared/io/tls/server-names.ts";
import { TestAuthority } from "../../../support/certificates.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const namesOf = (names: readonly string[], name = "Common.Example"): readonly string[] =>
  hostNamesOf(new X509Certificate(authority.issue(names, { name }).certificate));

test("DNS names count, and a common name only where there is no other name at all", () => {
  assert.deepEqual(namesOf(["DNS:A.test", "URI:spiffe://a/b", "DNS:*.b.test"]), [
    "a.test",
    "*.b.test",
  ]);
  assert.deepEqual(namesOf([]), ["common.example"]);
  // RFC 6125 6.4.4, as in Envoy.
  assert.deepEqual(namesOf(["URI:spiffe://a/b"]), []);
});

test("an exact name goes before a wildcard, which stands for one label", () => {
  const table = new Map([
    ["a.test", "exact"],
    ["*.test", "wildcard"],
  ]);
  assert.equal(findByName(table, "A.test"), "exact");
  assert.equal(findByName(table, "b.test"), "wildcard");
  assert.equal(findByName(table, "c.b.test"), undefined);
  assert.equal(findByName(table, "test"), undefined);
  assert.equal(findByName(table, ".test"), undefined);
  assert.equal(findByName(table, ""), undefined);
});
