/**
 * A certificate as headers and logs print it, in Envoy's forms (Envoy: `Ssl::Utility`, `ConnectionInfoImplBase`).
 *
 * What a newcomer would get wrong: a name is written from its last part to its first (RFC 2253), and whatever is not ASCII
 * in it as the bytes of its UTF-8.
 */
import type { X509Certificate } from "node:crypto";
import { readSubjectAltNames, type SubjectAltName } from "../../shared/tls/subject-alt-names.ts";

/** Node's name has a line for each part, its characters escaped as RFC 2253 wants but for what is not ASCII. */
export function nameText(lines: string): string {
  const parts = lines.split("\n").map((line) => line.replaceAll(" + ", "+"));
  return parts
    .reverse()
    .join(",")
    .replaceAll(/[^ -~]+/g, (text) => escapedBytes(text));
}

function escapedBytes(text: string): string {
  const bytes = [...Buffer.from(text, "utf8")];
  return bytes.map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

export function sansOf(
  { subjectAltName }: X509Certificate,
  type: SubjectAltName["type"],
): readonly string[] {
  return readSubjectAltNames(subjectAltName).flatMap((name) =>
    name.type === type ? [name.value] : [],
  );
}

/** Hex, lower case. */
export function fingerprint256({ fingerprint256: text }: X509Certificate): string {
  return text.replaceAll(":", "").toLowerCase();
}

/** Hex, lower case; of SHA-1. */
export function fingerprint1({ fingerprint: text }: X509Certificate): string {
  return text.replaceAll(":", "").toLowerCase();
}

export function serialOf({ serialNumber }: X509Certificate): string {
  return serialNumber.toLowerCase();
}

const escapes: Readonly<Record<string, string>> = {
  "\n": "%0A",
  " ": "%20",
  "+": "%2B",
  "/": "%2F",
  "=": "%3D",
};

/** PEM, with what a header may not hold escaped. */
export function encodedPem(certificate: X509Certificate): string {
  return certificate.toString().replaceAll(/[\n +/=]/g, (character) => escapes[character] ?? "");
}
