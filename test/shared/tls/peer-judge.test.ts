import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import type { SubjectAltNameMatcher } from "../../../src/shared/config/tls-config.ts";
import { compilePeerJudge, type PeerRules } from "../../../src/shared/tls/peer-judge.ts";
import { TestAuthority } from "../../support/certificates.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const leaf = new X509Certificate(authority.issue(["DNS:a.test", "DNS:b.test"]).certificate);

const nothing: PeerRules = { certificateHashes: [], spkiHashes: [], subjectAltNames: [] };
const named = (value: string): { readonly subjectAltNames: readonly SubjectAltNameMatcher[] } => ({
  subjectAltNames: [{ type: "dns", matcher: { kind: "exact", value, ignoreCase: false } }],
});
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const hash = sha256(leaf.raw).toString("hex");
const key = sha256(leaf.publicKey.export({ type: "spki", format: "der" })).toString("base64");
const otherHash = "00".repeat(32);

test("where nothing is asked for there is nothing to judge", () => {
  assert.equal(compilePeerJudge(nothing), undefined);
});

test("one name of the certificate is enough, and none is too few", () => {
  assert.equal(compilePeerJudge({ ...nothing, ...named("b.test") })?.(leaf), undefined);
  assert.deepEqual(compilePeerJudge({ ...nothing, ...named("c.test") })?.(leaf), {
    kind: "name",
    reason: "verify cert failed: SAN matcher, certificate SANs are [a.test, b.test]",
  });
});

test("the hash of the certificate or that of its key will do", () => {
  const judge = (certificateHashes: string[], spkiHashes: string[]) =>
    compilePeerJudge({ ...nothing, certificateHashes, spkiHashes })?.(leaf)?.kind;
  assert.equal(judge([hash], []), undefined);
  assert.equal(judge([], [key]), undefined);
  assert.equal(judge([], [key.replace(/=+$/, "")]), undefined);
  assert.equal(judge([otherHash], [key]), undefined);
  assert.equal(judge([otherHash], []), "hash");
  assert.equal(judge([], [Buffer.alloc(32).toString("base64")]), "hash");
});

test("a hash that is right does not make up for a name that is not, nor the other way", () => {
  const judge = (rules: Partial<PeerRules>) =>
    compilePeerJudge({ ...nothing, ...rules })?.(leaf)?.kind;
  assert.equal(judge({ ...named("c.test"), certificateHashes: [hash] }), "name");
  assert.equal(judge({ ...named("a.test"), certificateHashes: [otherHash] }), "hash");
  assert.equal(judge({ ...named("a.test"), certificateHashes: [hash] }), undefined);
});
