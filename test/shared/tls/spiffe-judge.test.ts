import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import { compileSpiffeJudge } from "../../../src/shared/tls/spiffe-judge.ts";
import { TestAuthority } from "../../support/certificates.ts";

const [own, other] = [new TestAuthority("own"), new TestAuthority("other")];
after(() => {
  own[Symbol.dispose]();
  other[Symbol.dispose]();
});
const pemOf = ({ certificate }: TestAuthority): Buffer => Buffer.from(certificate);
const judge = compileSpiffeJudge([
  { name: "own.test", authoritiesPem: pemOf(own) },
  { name: "other.test", authoritiesPem: pemOf(other) },
]);
const leafOf = (authority: TestAuthority, ...names: string[]): X509Certificate =>
  new X509Certificate(authority.issue(names).certificate);

test("a leaf is vouched for by the bundle of its own trust domain", () => {
  assert.equal(judge(leafOf(own, "URI:spiffe://own.test/ns/a")), undefined);
  assert.equal(judge(leafOf(other, "URI:spiffe://other.test/ns/a")), undefined);
});

test("a leaf that another domain's authority signed is refused", () => {
  const refused = judge(leafOf(other, "URI:spiffe://own.test/ns/a"));
  assert.match(refused?.reason ?? "", /the bundle of own\.test has not signed it/);
});

test("a leaf of no domain, of one that is not known, or of two is refused", () => {
  assert.match(judge(leafOf(own, "DNS:own.test"))?.reason ?? "", /no SPIFFE ID/);
  assert.match(
    judge(leafOf(own, "URI:spiffe://third.test/a"))?.reason ?? "",
    /no trust bundle store found/,
  );
  const two = leafOf(own, "URI:spiffe://own.test/a", "URI:spiffe://own.test/b");
  assert.match(judge(two)?.reason ?? "", /no SPIFFE ID/);
});
