/** From what a secret says to what it holds: reads its sources and judges them, in Envoy's words. */
import { createSecureContext } from "node:tls";
import { messageOf } from "../../shared/common/errors.ts";
import type {
  SecretValue,
  TlsCertificateConfig,
  TrustDomainConfig,
  ValidationContextConfig,
} from "../config/secret-config.ts";
import { judgeLeafKey, judgePrivateKey, readCertificates } from "./certificate-files.ts";
import { readSource, SecretError } from "./data-source-reader.ts";
import type { SecretFiles } from "./secret-files.ts";
import type {
  SecretMaterial,
  TlsCertificateMaterial,
  TrustDomainMaterial,
  ValidationMaterial,
} from "./secret-material.ts";

export type LoadResult =
  | { readonly ok: true; readonly material: SecretMaterial }
  | { readonly ok: false; readonly error: string };

/** Docs: `TlsSessionTicketKeys.keys`, 80 bytes: a name, and two keys. */
const ticketKeyBytes = 80;

/** Never throws. */
export function loadSecret(value: SecretValue, files: SecretFiles): LoadResult {
  try {
    return { ok: true, material: load(value, files) };
  } catch (error) {
    // Anything else is a bug, and one secret's trouble all the same.
    return { ok: false, error: messageOf(error) };
  }
}

function load(value: SecretValue, files: SecretFiles): SecretMaterial {
  switch (value.kind) {
    case "tlsCertificate":
      return loadCertificate(value.certificate, files);
    case "validationContext":
      return loadValidation(value.context, files);
    case "sessionTicketKeys":
      return {
        kind: "sessionTicketKeys",
        keys: value.keys.map((key) => judgeTicketKey(readSource(key, files).bytes)),
      };
    case "genericSecret": {
      const { bytes } = readSource(value.secret, files);
      return { kind: "genericSecret", text: bytes.toString("utf8").replace(/[\r\n]+$/, "") };
    }
    default:
      return value satisfies never;
  }
}

function loadCertificate(config: TlsCertificateConfig, files: SecretFiles): TlsCertificateMaterial {
  const chain = readSource(config.certificateChain, files);
  const key = readSource(config.privateKey, files);
  const password = readSource(config.password, files);
  if (key.bytes.length === 0)
    throw new SecretError(`Failed to load incomplete private key from path: ${key.where}`);
  if (chain.bytes.length === 0)
    throw new SecretError(
      `Failed to load incomplete certificate from ${chain.where}: certificate chain not set`,
    );
  const refusal = `Failed to load certificate chain from ${chain.where}`;
  const file = readCertificates(chain, refusal);
  judgeLeafKey(file, refusal);
  const passphrase = password.where === "" ? undefined : password.bytes.toString("utf8").trim();
  judgePrivateKey(key, passphrase, file.certificates[0]);
  const staple = readSource(config.ocspStaple, files).bytes;
  return {
    kind: "tlsCertificate",
    chain: file,
    privateKey: key.bytes,
    passphrase,
    ocspStaple: staple.length === 0 ? undefined : staple,
  };
}

function loadValidation(config: ValidationContextConfig, files: SecretFiles): ValidationMaterial {
  const { crl, trustedCa, usesSystemRoots, trustDomains } = config;
  if (crl && !trustedCa && !usesSystemRoots && !trustDomains)
    throw new SecretError(
      `Failed to load CRL from ${readSource(crl, files).where} without trusted CA`,
    );
  const material = readValidation(config, files);
  judgeValidation(material);
  return material;
}

/** Throws a `SecretError` unless the rules go together. */
export function judgeValidation(material: ValidationMaterial): void {
  const { authorities, subjectAltNames, crl, trustDomains } = material;
  if (authorities !== undefined || trustDomains !== undefined) return;
  if (subjectAltNames.length > 0)
    throw new SecretError(
      "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
    );
  if (crl) throw new SecretError("Failed to load CRL without trusted CA");
}

/** A part of a context may lack what another part brings. Throws a `SecretError` for what is broken in itself. */
export function readValidation(
  { trustedCa, usesSystemRoots, crl, trustDomains, ...rules }: ValidationContextConfig,
  files: SecretFiles,
): ValidationMaterial {
  const ca = readSource(trustedCa, files);
  const revoked = readSource(crl, files);
  if (trustedCa && ca.bytes.length === 0) throw new SecretError("DataSource cannot be empty");
  if (crl) judgeCrl(revoked.bytes, revoked.where);
  return {
    ...rulesOf(rules),
    kind: "validationContext",
    authorities: trustedCa
      ? readCertificates(ca, `Failed to load trusted CA certificates from ${ca.where}`)
      : usesSystemRoots
        ? "system"
        : undefined,
    crl: crl && revoked.bytes,
    trustDomains: trustDomains?.map((domain) => readTrustDomain(domain, files)),
  };
}

/** What is not read from anywhere. */
type ValidationRules = Omit<ValidationMaterial, "kind" | "authorities" | "crl" | "trustDomains">;

function rulesOf(rules: ValidationRules): ValidationRules {
  return {
    certificateHashes: rules.certificateHashes,
    spkiHashes: rules.spkiHashes,
    subjectAltNames: rules.subjectAltNames,
    acceptsUntrusted: rules.acceptsUntrusted,
    onlyVerifyLeafCertCrl: rules.onlyVerifyLeafCertCrl,
    allowExpiredCertificate: rules.allowExpiredCertificate,
    maxVerifyDepth: rules.maxVerifyDepth,
  };
}

function readTrustDomain(
  { name, bundle }: TrustDomainConfig,
  files: SecretFiles,
): TrustDomainMaterial {
  const refusal = `Failed to load trusted CA certificate for ${name}`;
  return { name, authorities: readCertificates(readSource(bundle, files), refusal) };
}

/** Envoy takes a broken one without a word, and then revokes nothing. */
function judgeCrl(crl: Buffer, where: string): void {
  try {
    createSecureContext({ crl });
  } catch (error) {
    throw new SecretError(`Failed to load CRL from ${where}`, { cause: error });
  }
}

function judgeTicketKey(key: Buffer): Buffer {
  if (key.length !== ticketKeyBytes)
    throw new SecretError(
      `Incorrect TLS session ticket key length. Length ${key.length}, expected length ${ticketKeyBytes}.`,
    );
  return key;
}
