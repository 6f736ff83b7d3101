/** A secret that was read and judged: what it is good for, and nothing that is still to be fetched. */
import type { X509Certificate } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { SubjectAltNameMatcher } from "../../shared/config/tls-config.ts";

export type SecretMaterial =
  | TlsCertificateMaterial
  | ValidationMaterial
  | { readonly kind: "sessionTicketKeys"; readonly keys: readonly Uint8Array[] }
  /** Without the line break that files end with. */
  | { readonly kind: "genericSecret"; readonly text: string };

/** PEM, and the key fits the first certificate of the chain. */
export interface TlsCertificateMaterial {
  readonly kind: "tlsCertificate";
  readonly chain: CertificateFile;
  readonly privateKey: Buffer;
  readonly passphrase: string | undefined;
  /** DER. */
  readonly ocspStaple: Buffer | undefined;
}

export interface ValidationMaterial {
  readonly kind: "validationContext";
  /** Undefined: no CA, so no chain is verified. */
  readonly authorities: CertificateFile | "system" | undefined;
  readonly crl: Buffer | undefined;
  readonly certificateHashes: readonly string[];
  readonly spkiHashes: readonly string[];
  readonly subjectAltNames: readonly SubjectAltNameMatcher[];
  readonly acceptsUntrusted: boolean;
  readonly onlyVerifyLeafCertCrl: boolean;
  readonly allowExpiredCertificate: boolean;
  readonly maxVerifyDepth: number | undefined;
  /** Of the SPIFFE validator; undefined: another one is at work. */
  readonly trustDomains: readonly TrustDomainMaterial[] | undefined;
}

export interface TrustDomainMaterial {
  readonly name: string;
  readonly authorities: CertificateFile;
}

/** One or more certificates in PEM. */
export interface CertificateFile {
  /** The path, or `<inline>`. */
  readonly where: string;
  readonly pem: Buffer;
  /** The leaf first. */
  readonly certificates: readonly X509Certificate[];
}

/** Moving one folder is several events, and a file may be replaced by itself. */
export function isSameMaterial(a: SecretMaterial, b: SecretMaterial): boolean {
  return isDeepStrictEqual(bytesOf(a), bytesOf(b));
}

function bytesOf(material: SecretMaterial): readonly unknown[] {
  switch (material.kind) {
    case "tlsCertificate":
      return [material.chain.pem, material.privateKey, material.passphrase, material.ocspStaple];
    case "validationContext": {
      const { authorities, crl, trustDomains = [] } = material;
      const bundles = trustDomains.map((domain) => domain.authorities.pem);
      return [typeof authorities === "object" ? authorities.pem : authorities, crl, ...bundles];
    }
    case "sessionTicketKeys":
      return material.keys;
    case "genericSecret":
      return [material.text];
    default:
      return material satisfies never;
  }
}
