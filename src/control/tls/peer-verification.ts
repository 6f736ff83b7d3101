/**
 * Whether a server's certificate is one that was asked for, apart from the chain above it, which OpenSSL judges (Envoy:
 * `DefaultCertValidator`).
 *
 * What one would get wrong: without a CA no chain is verified, so names prove nothing, and are refused when they are
 * configured; a hash proves all.
 */
import { createHash, type X509Certificate } from "node:crypto";
import type { ValidationMaterial } from "../secret/secret-material.ts";
import { matchesName, readSubjectAltNames } from "./subject-alt-names.ts";

/** Of a certificate that is not taken. */
export interface PeerRefusal {
  readonly kind: "hash" | "name";
  readonly reason: string;
}

export function judgePeer(
  certificate: X509Certificate,
  rules: ValidationMaterial,
): PeerRefusal | undefined {
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
  { subjectAltNames: wanted }: ValidationMaterial,
): boolean {
  if (wanted.length === 0) return true;
  const names = readSubjectAltNames(subjectAltName);
  return wanted.some((matcher) => names.some((name) => matchesName(matcher, name)));
}

/** Of the certificate or of its key: one of all is enough. */
function hasHash(
  certificate: X509Certificate,
  { certificateHashes, spkiHashes }: ValidationMaterial,
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
