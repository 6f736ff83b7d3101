/**
 * From a context as it was configured and what its secrets hold to what workers get. Pure: the same secrets make the
 * same configuration.
 */
import { getCACertificates } from "node:tls";
import type {
  PeerValidation,
  ServerTlsConfig,
  TlsIdentity,
  ClientTlsConfig,
} from "../../shared/config/tls-config.ts";
import type { UpstreamTlsConfig, DownstreamTlsConfig } from "../config/tls-config.ts";
import { SecretError } from "../secret/data-source-reader.ts";
import { judgeValidation } from "../secret/secret-loader.ts";
import type { TlsCertificateMaterial, ValidationMaterial } from "../secret/secret-material.ts";

/** What was read of the secrets that a context names. */
export interface ContextMaterial {
  readonly certificates: readonly TlsCertificateMaterial[];
  /** Its defaults and its secret, brought together. */
  readonly validation: ValidationMaterial | undefined;
  readonly ticketKeys: readonly Uint8Array[];
}

/** Throws a `SecretError` where the parts do not go together. */
export function serverTlsConfig(
  config: DownstreamTlsConfig,
  { certificates, validation, ticketKeys }: ContextMaterial,
): ServerTlsConfig {
  if (config.ocspStaplePolicy === "must" && certificates.some(({ ocspStaple }) => !ocspStaple))
    throw new SecretError("Required OCSP response is missing from TLS context");
  return {
    identities: certificates.map(identityOf),
    validation: validation && peerValidationOf(validation),
    requiresClientCertificate: config.requireClientCertificate,
    alpnProtocols: config.alpnProtocols,
    parameters: config.parameters,
    ticketKeys,
    sessionTimeoutS: config.sessionTimeoutS,
    resumesBySessionId: !config.disableStatefulResumption,
    ocspStaplePolicy: config.ocspStaplePolicy,
    prefersClientCiphers: config.preferClientCiphers,
    keyLog: config.keyLog,
  };
}

/** As `serverTlsConfig`. */
export function upstreamTlsConfig(
  config: UpstreamTlsConfig,
  { certificates, validation }: ContextMaterial,
): ClientTlsConfig {
  const [certificate] = certificates;
  return {
    identity: certificate && identityOf(certificate),
    validation: validation && peerValidationOf(validation),
    serverName: config.sni,
    alpnProtocols: config.alpnProtocols,
    parameters: config.parameters,
    allowsRenegotiation: config.allowRenegotiation,
    sessionKeysMax: config.maxSessionKeys,
    keyLog: config.keyLog,
  };
}

function identityOf(material: TlsCertificateMaterial): TlsIdentity {
  const { chain, privateKey, passphrase, ocspStaple } = material;
  return { chainPem: chain.pem, keyPem: privateKey, passphrase, ocspStaple };
}

function peerValidationOf(material: ValidationMaterial): PeerValidation {
  judgeValidation(material);
  const { authorities, crl, trustDomains } = material;
  return {
    authoritiesPem: trustDomains
      ? Buffer.concat(trustDomains.map((domain) => lines(domain.authorities.pem)))
      : pemOf(authorities),
    crlPem: crl,
    onlyVerifiesLeafCrl: material.onlyVerifyLeafCertCrl,
    certificateHashes: material.certificateHashes,
    spkiHashes: material.spkiHashes,
    subjectAltNames: material.subjectAltNames,
    acceptsUntrusted: material.acceptsUntrusted,
    allowsExpired: material.allowExpiredCertificate,
    maxDepth: material.maxVerifyDepth,
    ...(trustDomains && {
      trustDomains: trustDomains.map(({ name, authorities: { pem } }) => ({
        name,
        authoritiesPem: pem,
      })),
    }),
  };
}

function pemOf(authorities: ValidationMaterial["authorities"]): Buffer | undefined {
  if (authorities === "system") return Buffer.from(getCACertificates("system").join("\n"));
  return authorities?.pem;
}

/** So that one file may follow another. */
function lines(pem: Buffer): Buffer {
  return Buffer.concat([pem, Buffer.from("\n")]);
}
