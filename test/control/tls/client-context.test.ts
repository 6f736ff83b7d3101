import assert from "node:assert/strict";
import { test } from "node:test";
import type { ValidationMaterial } from "../../../src/control/secret/secret-material.ts";
import { mergeValidation } from "../../../src/control/tls/client-context.ts";

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
