/** Secrets as they were named and as they came: `envoy.extensions.transport_sockets.tls.v3.Secret`. */
import type { SubjectAltNameMatcher } from "../../shared/config/tls-config.ts";
import type { ConfigSource } from "./config-source.ts";
import type { DataSource } from "./data-source.ts";

export interface DecodedSecret {
  readonly name: string;
  readonly value: SecretValue;
  /** The whole message as it came, for /config_dump, which shows nothing that is to be kept secret. */
  readonly bytes: Uint8Array;
}

/** What it says; the files and variables that it names are still unread. */
export type SecretValue =
  | { readonly kind: "tlsCertificate"; readonly certificate: TlsCertificateConfig }
  | { readonly kind: "validationContext"; readonly context: ValidationContextConfig }
  /** Each of 80 bytes, the first one encrypts. */
  | { readonly kind: "sessionTicketKeys"; readonly keys: readonly DataSource[] }
  | { readonly kind: "genericSecret"; readonly secret: DataSource | undefined };

export type SecretKind = SecretValue["kind"];

/** How Envoy calls them: the names of their messages. */
export const secretMessages: Readonly<Record<SecretKind, string>> = {
  tlsCertificate: "TlsCertificate",
  validationContext: "CertificateValidationContext",
  sessionTicketKeys: "TlsSessionTicketKeys",
  genericSecret: "GenericSecret",
};

/** PEM. */
export interface TlsCertificateConfig {
  readonly certificateChain: DataSource | undefined;
  readonly privateKey: DataSource | undefined;
  readonly password: DataSource | undefined;
  readonly ocspStaple: DataSource | undefined;
  /** Watched for moves in place of the folders of the files. */
  readonly watchedDirectory: string | undefined;
}

/** How a peer is verified. Without any CA its chain is not. */
export interface ValidationContextConfig {
  readonly trustedCa: DataSource | undefined;
  readonly usesSystemRoots: boolean;
  readonly crl: DataSource | undefined;
  readonly watchedDirectory: string | undefined;
  /** SHA-256 of the certificate, in hexadecimal without colons; one of these or of `spkiHashes` must match. */
  readonly certificateHashes: readonly string[];
  /** SHA-256 of the public key, in base64. */
  readonly spkiHashes: readonly string[];
  /** One of them must match one name of the certificate; empty: any name will do. */
  readonly subjectAltNames: readonly SubjectAltNameMatcher[];
  /** `ACCEPT_UNTRUSTED`: a chain that does not end at a CA is let pass. */
  readonly acceptsUntrusted: boolean;
  readonly onlyVerifyLeafCertCrl: boolean;
  readonly allowExpiredCertificate: boolean;
  readonly maxVerifyDepth: number | undefined;
  /** Of the SPIFFE validator, in place of `trustedCa`. */
  readonly trustDomains: readonly TrustDomainConfig[] | undefined;
}

/** `SPIFFECertValidatorConfig.TrustDomain`. */
export interface TrustDomainConfig {
  readonly name: string;
  readonly bundle: DataSource | undefined;
}

/** `SdsSecretConfig`: a secret that somebody needs. */
export interface SecretReference {
  readonly name: string;
  readonly kind: SecretKind;
  /** Undefined: one of the bootstrap's `static_resources.secrets`. */
  readonly source: ConfigSource | undefined;
}

/** The same for equal references, and different for others: names mean something within a source only. */
export function secretId({ name, kind, source }: SecretReference): string {
  return `${kind} ${name} ${source ? JSON.stringify(source) : "bootstrap"}`;
}
