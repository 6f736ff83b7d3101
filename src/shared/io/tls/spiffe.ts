/**
 * Envoy's SPIFFE validator: the trust domain that a certificate names decides which CAs may vouch for it (X509-SVID 5).
 *
 * What a newcomer would get wrong: the chain is verified against the CAs of all domains together, so that it ends at one
 * of them proves nothing yet.
 */
import { X509Certificate } from "node:crypto";
import type { PeerValidation, TrustDomain } from "../../config/tls-config.ts";
import { keyUsageOf } from "./key-usage.ts";
import { TlsError } from "./tls.ts";

const begin = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g;
/** A name is a list with commas; what has one in it is in quotes, and then it is no domain. */
const uriName = /(?:^|, )URI:([^,]*)/;
const spiffeId = /^spiffe:\/\/([^/]+)\//;

/** Which CAs vouch for a domain: fingerprints, by its name. */
export class TrustDomains {
  readonly #domains = new Map<string, ReadonlySet<string>>();

  /** Throws a TlsError. */
  constructor(domains: readonly TrustDomain[]) {
    for (const { name, authoritiesPem } of domains) {
      if (this.#domains.has(name))
        throw new TlsError(`Multiple trust bundles are given for one trust domain for ${name}`);
      this.#domains.set(name, new Set(fingerprintsOf(name, authoritiesPem)));
    }
  }

  /** `chain`: the leaf first. Undefined: it is vouched for; else why not, in Envoy's words. */
  refusalOf(chain: readonly X509Certificate[]): string | undefined {
    const [leaf] = chain;
    if (!leaf || !isLeaf(leaf)) return "verify cert failed: cert precheck";
    const authorities = this.#domains.get(domainOf(leaf) ?? "");
    if (!authorities) return "verify cert failed: no trust bundle store";
    return isVouchedFor(chain, authorities)
      ? undefined
      : "verify cert failed: X509_verify_cert: the chain is one of another trust domain";
  }
}

/** Throws a TlsError. */
export function trustDomainsOf(validation: PeerValidation | undefined): TrustDomains | undefined {
  return validation?.trustDomains && new TrustDomains(validation.trustDomains);
}

/** Neither a CA nor allowed to sign as one; BoringSSL takes a certificate that says nothing of it for one that may. */
function isLeaf(certificate: X509Certificate): boolean {
  const usage = keyUsageOf(certificate.raw);
  return !certificate.ca && usage !== undefined && !usage.signsCertificates && !usage.signsLists;
}

/** Of the first URI, as Envoy: a certificate of SPIFFE has one. */
function domainOf({ subjectAltName = "" }: X509Certificate): string | undefined {
  const [, uri = ""] = uriName.exec(subjectAltName) ?? [];
  return spiffeId.exec(uri)?.[1];
}

/** Some certificate above the leaf is one of them, and each below it was signed by the next. */
function isVouchedFor(
  chain: readonly X509Certificate[],
  authorities: ReadonlySet<string>,
): boolean {
  for (let i = 1; i < chain.length; i++) {
    const [below, above] = [chain[i - 1], chain[i]];
    if (!below || !above || !below.checkIssued(above) || !below.verify(above.publicKey))
      return false;
    if (authorities.has(above.fingerprint256)) return true;
  }
  return false;
}

function fingerprintsOf(domain: string, pem: Uint8Array): readonly string[] {
  const text = Buffer.from(pem).toString("latin1");
  try {
    const starts = [...text.matchAll(begin)].map(({ index }) => index);
    if (starts.length > 0)
      return starts.map((start) => new X509Certificate(text.slice(start)).fingerprint256);
  } catch {
    // Said below.
  }
  throw new TlsError(`Failed to load trusted CA certificate for ${domain}`);
}
