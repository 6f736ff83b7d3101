import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { SubjectAltNameMatcher } from "../../../src/shared/config/tls-config.ts";
import {
  readSubjectAltNames,
  type SubjectAltName,
  subjectAltNameTest,
} from "../../../src/shared/tls/subject-alt-names.ts";
import { TestAuthority } from "../../support/certificates.ts";

const matchesName = (matcher: SubjectAltNameMatcher, name: SubjectAltName): boolean =>
  subjectAltNameTest(matcher)(name);

const words = { dns: "DNS", uri: "URI", email: "email", ipAddress: "IP Address" } as const;

test("every name of a certificate is read, whatever is in it", () => {
  const type = fc.constantFrom<SubjectAltName["type"]>("dns", "uri", "email");
  const name = fc.record({ type, value: fc.string() }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(name), (names) => {
      const text = names.map((one) => `${words[one.type]}:${JSON.stringify(one.value)}`);
      assert.deepEqual(readSubjectAltNames(text.join(", ")), names);
    }),
  );
});

test("names are read from a real certificate; none are none", () => {
  using authority = new TestAuthority();
  const issued = authority.issue(["DNS:*.a.test", "URI:spiffe://a/b", "IP:::1", "email:a@b.test"]);
  assert.deepEqual(readSubjectAltNames(new X509Certificate(issued.certificate).subjectAltName), [
    { type: "dns", value: "*.a.test" },
    { type: "uri", value: "spiffe://a/b" },
    { type: "ipAddress", value: "::1" },
    { type: "email", value: "a@b.test" },
  ]);
  assert.deepEqual(readSubjectAltNames(undefined), []);
});

test("other kinds of names are passed over", () => {
  assert.deepEqual(readSubjectAltNames("othername:<unsupported>, DNS:a.test"), [
    { type: "dns", value: "a.test" },
  ]);
});

const exact = (type: SubjectAltNameMatcher["type"], value: string): SubjectAltNameMatcher => ({
  type,
  matcher: { kind: "exact", value, ignoreCase: false },
});

const dns = (value: string): SubjectAltName => ({ type: "dns", value });

for (const [wanted, offered, matches] of [
  ["a.test", "a.test", true],
  ["A.test", "a.TEST", true],
  ["b.a.test", "*.a.test", true],
  ["c.b.a.test", "*.a.test", false],
  ["a.test", "*.a.test", false],
  [".a.test", "*.a.test", false],
  ["a.test", "b.test", false],
  ["foo.a.test", "f*.a.test", true],
  ["foo.a.test", "f*o.a.test", true],
  ["fo.a.test", "fo*o.a.test", false],
  ["foo.a.test", "f*o*.a.test", false],
  ["foo.a.test", "foo.*.test", false],
  ["xn--foo.a.test", "xn--*.a.test", false],
  ["test", "*", false],
] as const)
  test(`the host ${wanted} is ${matches ? "" : "not "}one of ${offered}`, () => {
    assert.equal(matchesName(exact("dns", wanted), dns(offered)), matches);
  });

test("kinds are kept apart, unless any will do", () => {
  assert.equal(matchesName(exact("uri", "a.test"), dns("a.test")), false);
  assert.equal(matchesName(exact("any", "a.test"), dns("a.test")), true);
  const prefix: SubjectAltNameMatcher = {
    type: "uri",
    matcher: { kind: "prefix", value: "spiffe://a/", ignoreCase: false },
  };
  assert.equal(matchesName(prefix, { type: "uri", value: "spiffe://a/b" }), true);
  assert.equal(matchesName(prefix, { type: "uri", value: "spiffe://b/a" }), false);
});

test("any kind will do: a wildcard stands for a host there too", () => {
  assert.equal(matchesName(exact("any", "b.a.test"), dns("*.a.test")), true);
  assert.equal(matchesName(exact("any", "b.a.test"), { type: "uri", value: "*.a.test" }), false);
});

test("an address is the same however it is written", () => {
  const [address] = readSubjectAltNames("IP Address:0:0:0:0:0:0:0:1");
  assert(address);
  assert.equal(matchesName(exact("ipAddress", "::1"), address), true);
  assert.equal(matchesName(exact("ipAddress", "0:0::0:1"), address), true);
  assert.equal(matchesName(exact("ipAddress", "::2"), address), false);
});

test("no text makes a matcher throw", () => {
  const type = fc.constantFrom<SubjectAltName["type"]>("dns", "uri", "email", "ipAddress");
  fc.assert(
    fc.property(type, fc.string(), fc.string(), (kind, wanted, text) => {
      const isWanted = subjectAltNameTest(exact("any", wanted));
      for (const name of readSubjectAltNames(text)) isWanted(name);
      assert.equal(typeof isWanted({ type: kind, value: text }), "boolean");
    }),
  );
});
