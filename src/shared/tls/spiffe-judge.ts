/**
 * The SPIFFE validator (Envoy: `SPIFFEValidator`; docs: `SPIFFECertValidatorConfig`): a leaf is vouched for by the bundle of its
 * own trust domain and by no other, whatever OpenSSL finds in all of them together.
 *
 * What differs from Envoy: a CA of the bundle has to have signed the leaf itself, none in between is followed.
 */
import { X509Certificate } from "node:crypto";
import type { TrustDomain } from "../config/tls-config.ts";
import type { PeerJudge, PeerRefusal } from "../io/tls/tls.ts";
import { readSubjectAltNames } from "./subject-alt-names.ts";

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const scheme = "spiffe://";

const refusal = (why: string): PeerRefusal => ({
  kind: "name",
  reason: `verify cert failed: ${why}`,
});

export function compileSpiffeJudge(domains: readonly TrustDomain[]): PeerJudge {
  const bundles = new Map(
    domains.map(({ name, authoritiesPem }) => [name, authoritiesOf(authoritiesPem)] as const),
  );
  return (leaf) => {
    const domain = trustDomainOf(leaf);
    if (domain === undefined) return refusal("no SPIFFE ID");
    const authorities = bundles.get(domain);
    if (!authorities) return refusal("no trust bundle store found");
    return authorities.some((authority) => signed(authority, leaf))
      ? undefined
      : refusal(`the bundle of ${domain} has not signed it`);
  };
}

/** Of the one URI that a SPIFFE ID is (SPIFFE X.509-SVID, 2). */
function trustDomainOf({ subjectAltName }: X509Certificate): string | undefined {
  const uris = readSubjectAltNames(subjectAltName).filter(({ type }) => type === "uri");
  const [id, second] = uris;
  if (!id || second || !id.value.startsWith(scheme)) return undefined;
  return id.value.slice(scheme.length).split("/")[0];
}

function authoritiesOf(pem: Uint8Array): readonly X509Certificate[] {
  const blocks = Buffer.from(pem).toString("latin1").match(block) ?? [];
  return blocks.map((one) => new X509Certificate(one));
}

function signed(authority: X509Certificate, leaf: X509Certificate): boolean {
  try {
    return authority.ca && leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
  } catch {
    return false;
  }
}
