/** What tests hand to TLS of the data path: certificates in its form, and what peers are held against. */
import type { PeerValidation, TlsIdentity } from "../../src/shared/config/tls-config.ts";
import type { TestAuthority, TestCertificate } from "./certificates.ts";

/** `above`: shown along with it. */
export function identityOf(
  { certificate, privateKey }: TestCertificate,
  ...above: readonly TestAuthority[]
): TlsIdentity {
  return {
    chainPem: Buffer.from([certificate, ...above.map((one) => one.certificate)].join("")),
    keyPem: Buffer.from(privateKey),
    passphrase: undefined,
    ocspStaple: undefined,
  };
}

/** Whoever the authority has signed, unless it is told more; undefined: no chain is verified. */
export function validationBy(
  authority: TestAuthority | undefined,
  changes: Partial<PeerValidation> = {},
): PeerValidation {
  return {
    authoritiesPem: authority && Buffer.from(authority.certificate),
    crlPem: undefined,
    onlyVerifiesLeafCrl: false,
    certificateHashes: [],
    spkiHashes: [],
    subjectAltNames: [],
    acceptsUntrusted: false,
    allowsExpired: false,
    maxDepth: undefined,
    ...changes,
  };
}
