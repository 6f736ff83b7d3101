import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import type { ValidationMaterial } from "../../../src/control/secret/secret-material.ts";
import { mergeValidation } from "../../../src/control/tls/client-context.ts";
import { judgePeer } from "../../../src/shared/tls/peer-verification.ts";
import { TestAuthority } from "../../support/certificates.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const peer = new X509Certificate(authority.issue(["DNS:a.test", "DNS:b.test"]).certificate);

const nothing: ValidationMaterial = {
  kind: "validationContext",
  authorities: undefined,
  crl: undefined,
  certificateHashes: [],
  spkiHashes: [],
  subjectAltNames: [],
  acceptsUntrusted: false,
  onlyVerifyLeafCertCrl: false,
  allowExpiredCertificate: false,
  maxVerifyDepth: undefined,
  trustDomains: undefined,
};
const named = (value: string): Pick<ValidationMaterial, "subjectAltNames"> => ({
  subjectAltNames: [{ type: "dns", matcher: { kind: "exact", value, ignoreCase: false } }],
});
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const hash = sha256(peer.raw).toString("hex");
const key = sha256(peer.publicKey.export({ type: "spki", format: "der" })).toString("base64");
const otherHash = "00".repeat(32);

test("one name of the certificate is enough, and none is too few", () => {
  assert.equal(judgePeer(peer, { ...nothing, ...named("b.test") }), undefined);
  const refusal = judgePeer(peer, { ...nothing, ...named("c.test") });
  assert.equal(refusal?.kind, "name");
  assert.match(refusal?.reason ?? "", /the certificate is for DNS:a.test, DNS:b.test/);
});

test("the hash of the certificate or that of its key will do", () => {
  const judge = (certificateHashes: string[], spkiHashes: string[]) =>
    judgePeer(peer, { ...nothing, certificateHashes, spkiHashes })?.kind;
  assert.equal(judge([hash], []), undefined);
  assert.equal(judge([], [key]), undefined);
  assert.equal(judge([otherHash], [key]), undefined);
  assert.equal(judge([otherHash], []), "hash");
  assert.equal(judge([], [Buffer.alloc(32).toString("base64")]), "hash");
});

test("a hash that is right does not make up for a name that is not", () => {
  const rules = { ...nothing, ...named("c.test"), certificateHashes: [hash] };
  assert.equal(judgePeer(peer, rules)?.kind, "name");
});

test("whoever it is: then nothing is held against the certificate", () => {
  const rules = { ...nothing, ...named("c.test"), acceptsUntrusted: true };
  assert.equal(judgePeer(peer, rules), undefined);
});

test("a secret is laid over its defaults: lists are joined, what it sets wins", () => {
  const defaults = { ...nothing, ...named("a.test"), crl: Buffer.from("old") };
  const merged = mergeValidation(defaults, {
    ...nothing,
    ...named("b.test"),
    authorities: "system",
    crl: Buffer.from("new"),
  });
  assert.equal(merged.subjectAltNames.length, 2);
  assert.equal(merged.authorities, "system");
  assert.equal(String(merged.crl), "new");
  assert.equal(mergeValidation(defaults, nothing).crl, defaults.crl);
});
