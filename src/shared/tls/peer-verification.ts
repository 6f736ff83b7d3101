/**
 * Whether a server's certificate is one that was asked for, apart from the chain above it, which OpenSSL judges (Envoy:
 * `DefaultCertValidator`).
 *
 * What one would get wrong: without a CA no chain is verified, so names prove nothing, and are refused when they are
 * configured; a hash proves all.
 */
import { createHash, type X509Certificate } from "node:crypto";
import type { PeerValidation } from "../config/tls-config.ts";
import type { PeerRefusal } from "../io/tls/tls.ts";
import { matchesName, readSubjectAltNames } from "./subject-alt-names.ts";

/** What of a validation a leaf alone can be held against. */
export type PeerRules = Pick<
  PeerValidation,
  "acceptsUntrusted" | "subjectAltNames" | "certificateHashes" | "spkiHashes"
>;

export function judgePeer(certificate: X509Certificate, rules: PeerRules): PeerRefusal | undefined {
  if (rules.acceptsUntrusted) return undefined;
  if (!hasName(certificate, rules)) {
    const names = certificate.subjectAltName ?? "no name";
    return { kind: "name", reason: `verify SAN list: the certificate is for ${names}` };
  }
  if (!hasHash(certificate, rules))
    return { kind: "hash", reason: "certificate hash does not match" };
  return undefined;
}

function hasName(
  { subjectAltName }: X509Certificate,
  { subjectAltNames: wanted }: PeerRules,
): boolean {
  if (wanted.length === 0) return true;
  const names = readSubjectAltNames(subjectAltName);
  return wanted.some((matcher) => names.some((name) => matchesName(matcher, name)));
}

/** Of the certificate or of its key: one of all is enough. */
function hasHash(
  certificate: X509Certificate,
  { certificateHashes, spkiHashes }: PeerRules,
): boolean {
  if (certificateHashes.length + spkiHashes.length === 0) return true;
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return (
    certificateHashes.includes(sha256(certificate.raw).toString("hex")) ||
    spkiHashes.includes(sha256(key).toString("base64"))
  );
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
