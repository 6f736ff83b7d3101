/**
 * Names of certificates as an attacker with a CA of his own could write them, by time budget: whatever is in one name, no
 * other name comes of it, and no matcher throws.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { SubjectAltNameMatcher } from "../../src/shared/config/tls-config.ts";
import { readSubjectAltNames, subjectAltNameTest } from "../../src/shared/tls/subject-alt-names.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { certificateWithNames } from "../support/named-certificate.ts";

function fuzz<T>(input: fc.Arbitrary<T>, check: (value: T) => void): void {
  fc.assert(fc.property(input, check), fuzzOptions);
}

/** What breaks out of a list of names, if anything does. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ", DNS:b.test",
        '"',
        "\\",
        '", "DNS:b.test',
        "\0",
        "\r\n",
        "*",
        ".",
        "a.test",
      ),
      fc.constantFrom("IP Address:10.0.0.1", "URI:spiffe://b/c", ":", ",", "é", "\u2028"),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 5 },
  )
  .map((parts) => Buffer.from(parts.join(""), "latin1"));

test("no name breaks out of another", () => {
  const plain = certificateWithNames([
    [2, Buffer.from("a.test")],
    [6, Buffer.from("spiffe://a, DNS:b.test")],
  ]);
  assert.deepEqual(readSubjectAltNames(new X509Certificate(plain).subjectAltName), [
    { type: "dns", value: "a.test" },
    { type: "uri", value: "spiffe://a, DNS:b.test" },
  ]);
  const tags = fc.constantFrom(1, 2, 6);
  fuzz(fc.array(fc.tuple(tags, hostile), { minLength: 1, maxLength: 4 }), (names) => {
    const certificate = new X509Certificate(certificateWithNames(names));
    const read = readSubjectAltNames(certificate.subjectAltName);
    const kinds = { 1: "email", 2: "dns", 6: "uri" } as const;
    const written = names.map(
      ([tag, value]) => `${kinds[tag as 1 | 2 | 6]} ${value.toString("latin1")}`,
    );
    for (const { type, value } of read)
      assert(written.includes(`${type} ${value}`), JSON.stringify([type, value]));
  });
});

test("a matcher never throws, and an exact one takes that name or a wildcard of its domain", () => {
  const text = fc.oneof(
    hostile.map((bytes) => bytes.toString("latin1")),
    fc.domain(),
    fc.domain().map((name) => `*.${name}`),
  );
  const type = fc.constantFrom<SubjectAltNameMatcher["type"]>(
    "any",
    "dns",
    "uri",
    "email",
    "ipAddress",
  );
  const kind = fc.constantFrom(
    "exact" as const,
    "prefix" as const,
    "suffix" as const,
    "contains" as const,
  );
  fuzz(fc.tuple(type, kind, text, text, fc.boolean()), ([of, how, wanted, offered, ignoreCase]) => {
    const matches = subjectAltNameTest({
      type: of,
      matcher: { kind: how, value: wanted, ignoreCase },
    })({ type: "dns", value: offered });
    if (of !== "any" && of !== "dns") assert(!matches);
    if (how !== "exact" || !matches) return;
    const [want, offer] = [wanted.toLowerCase(), offered.toLowerCase()];
    assert(
      want === offer || (offer.includes("*") && want.endsWith(offer.slice(offer.indexOf(".")))),
    );
  });
});
