import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { nextUpdateMsOf } from "../../../../src/shared/io/tls/ocsp-response.ts";
import { TestAuthority } from "../../../support/certificates.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const response = authority.vouch(authority.issue(["DNS:a.test"]));
const dayMs = 24 * 60 * 60 * 1000;

test("a response says until when it holds", () => {
  const until = nextUpdateMsOf(response) ?? 0;
  assert(Math.abs(until - Date.now() - dayMs) < dayMs / 2);
});

test("what is cut off or changed anywhere does not throw", () => {
  const change = fc.tuple(fc.nat(response.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change), fc.nat(response.length), (changes, length) => {
      const bytes = Buffer.from(response.subarray(0, length));
      for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
      nextUpdateMsOf(bytes);
    }),
  );
});
