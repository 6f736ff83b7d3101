import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import fc from "fast-check";
import { keyUsageOf } from "../../../../src/shared/io/tls/key-usage.ts";
import { TestAuthority } from "../../../support/certificates.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const derOf = (...extensions: readonly string[]): Buffer =>
  new X509Certificate(authority.issue(["DNS:a"], { extensions }).certificate).raw;

test("what the key may sign is read, wherever it stands; a certificate may say nothing", () => {
  const none = { signs: false, encryptsKeys: false, signsCertificates: false, signsLists: false };
  assert.deepEqual(keyUsageOf(derOf("keyUsage=digitalSignature,decipherOnly")), {
    ...none,
    signs: true,
  });
  assert.deepEqual(keyUsageOf(derOf("keyUsage=keyEncipherment")), { ...none, encryptsKeys: true });
  assert.deepEqual(
    keyUsageOf(derOf("basicConstraints=CA:FALSE", "keyUsage=critical,keyCertSign")),
    {
      ...none,
      signsCertificates: true,
    },
  );
  assert.deepEqual(keyUsageOf(derOf("keyUsage=cRLSign")), { ...none, signsLists: true });
  assert.equal(keyUsageOf(derOf()), undefined);
});

test("what is cut off or changed anywhere does not throw", () => {
  const der = derOf("keyUsage=keyCertSign");
  const change = fc.tuple(fc.nat(der.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change), fc.nat(der.length), (changes, length) => {
      const bytes = Buffer.from(der.subarray(0, length));
      for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
      keyUsageOf(bytes);
    }),
  );
});
