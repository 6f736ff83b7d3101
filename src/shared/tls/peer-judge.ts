/**
 * Whether a peer's certificate is one that was asked for, apart from the chain above it, which OpenSSL judges (Envoy:
 * `DefaultCertValidator`). Reasons are in Envoy's words, as logs print them.
 *
 * What one would get wrong: names and hashes are both asked for, neither makes up for the other; but among names, and
 * among hashes of whichever kind, one is enough.
 */
import { createHash, type X509Certificate } from "node:crypto";
import type { PeerValidation } from "../config/tls-config.ts";
import type { PeerJudge, PeerRefusal } from "../io/tls/tls.ts";
import { readSubjectAltNames, subjectAltNameTest } from "./subject-alt-names.ts";

/** What of a validation is about the leaf alone. */
export interface PeerRules extends Pick<
  PeerValidation,
  "subjectAltNames" | "certificateHashes" | "spkiHashes"
> {
  /** That there are some: which CAs they have is a matter of the chain. */
  readonly trustDomains?: readonly unknown[] | undefined;
}

/** Undefined: any leaf will do. The judge is pure, and does not throw. */
export function compilePeerJudge(rules: PeerRules): PeerJudge | undefined {
  const steps = [nameJudge(rules), hashJudge(rules)].filter((step) => step !== undefined);
  if (steps.length === 0) return undefined;
  return (leaf) => {
    for (const step of steps) {
      const refusal = step(leaf);
      if (refusal) return refusal;
    }
    return undefined;
  };
}

function nameJudge({ subjectAltNames, trustDomains }: PeerRules): PeerJudge | undefined {
  // Envoy's SPIFFE validator looks at URIs alone: the other names are nobody's to vouch for.
  const wanted = trustDomains
    ? subjectAltNames.filter(({ type }) => type === "uri" || type === "any")
    : subjectAltNames;
  if (wanted.length === 0) return undefined;
  const tests = wanted.map(subjectAltNameTest);
  return ({ subjectAltName }) => {
    const names = readSubjectAltNames(subjectAltName);
    if (tests.some((isWanted) => names.some(isWanted))) return undefined;
    return { kind: "name", reason: nameReason(names.map(({ value }) => value)) };
  };
}

function nameReason(names: readonly string[]): string {
  return `verify cert failed: SAN matcher, certificate SANs are [${names.join(", ")}]`;
}

const wrongHash: PeerRefusal = { kind: "hash", reason: "verify cert failed: cert hash and spki" };

function hashJudge({ certificateHashes, spkiHashes }: PeerRules): PeerJudge | undefined {
  if (certificateHashes.length + spkiHashes.length === 0) return undefined;
  const ofCertificate = new Set(certificateHashes);
  // Decoded, as padding may be left out.
  const ofKey = new Set(spkiHashes.map((hash) => Buffer.from(hash, "base64").toString("hex")));
  return (leaf) =>
    (ofCertificate.size > 0 && ofCertificate.has(sha256(leaf.raw))) ||
    (ofKey.size > 0 && ofKey.has(keyHash(leaf)))
      ? undefined
      : wrongHash;
}

/** Empty where the key is of a kind that OpenSSL cannot read: it is none that was asked for. */
function keyHash(leaf: X509Certificate): string {
  try {
    return sha256(leaf.publicKey.export({ type: "spki", format: "der" }));
  } catch {
    return "";
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
