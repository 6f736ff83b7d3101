/** `CertificateValidationContext`: what a peer's certificate is held against. */
import type {
  CertificateValidationContext,
  SubjectAltNameMatcher as MatcherMessage,
} from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type { SPIFFECertValidatorConfig } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.d.ts";
import { decodeDataSource } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";
import { decodeStringMatcher } from "./matchers.ts";
import type { SubjectAltNameMatcher } from "../../shared/config/tls-config.ts";
import type { TrustDomainConfig, ValidationContextConfig } from "./secret-config.ts";

/** `CertificateValidationContext.TrustChainVerification.ACCEPT_UNTRUSTED`. */
const acceptUntrusted = 1;
/** By the numbers of `SubjectAltNameMatcher.SanType`; OTHER_NAME is refused. */
const sanTypes: readonly SubjectAltNameMatcher["type"][] = [
  "any",
  "email",
  "dns",
  "uri",
  "ipAddress",
];

/** Of one that says nothing. */
export const validationContextDefaults: ValidationContextConfig = {
  trustedCa: undefined,
  usesSystemRoots: false,
  crl: undefined,
  watchedDirectory: undefined,
  certificateHashes: [],
  spkiHashes: [],
  subjectAltNames: [],
  acceptsUntrusted: false,
  onlyVerifyLeafCertCrl: false,
  allowExpiredCertificate: false,
  maxVerifyDepth: undefined,
  trustDomains: undefined,
};

export function decodeValidationContext(
  message: CertificateValidationContext,
  context: DecodeContext,
): ValidationContextConfig {
  return {
    trustedCa: decodeDataSource(message.trustedCa),
    usesSystemRoots: message.systemRootCerts !== undefined,
    crl: decodeDataSource(message.crl),
    watchedDirectory: message.watchedDirectory?.path,
    certificateHashes: message.verifyCertificateHash.map((hash) => decodeHash(hash, context)),
    spkiHashes: message.verifyCertificateSpki.map((hash) => judgeSpkiHash(hash, context)),
    subjectAltNames: [
      ...message.matchTypedSubjectAltNames.flatMap((name) => decodeMatcher(name, context) ?? []),
      ...message.matchSubjectAltNames.map((matcher): SubjectAltNameMatcher => ({
        type: "any",
        matcher: decodeStringMatcher(matcher, context),
      })),
    ],
    acceptsUntrusted: Number(message.trustChainVerification) === acceptUntrusted,
    onlyVerifyLeafCertCrl: message.onlyVerifyLeafCertCrl,
    allowExpiredCertificate: message.allowExpiredCertificate,
    maxVerifyDepth: message.maxVerifyDepth,
    trustDomains: decodeTrustDomains(message, context),
  };
}

const spiffeTypeName =
  "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig" as const;

/** Of `custom_validator_config`, where SPIFFE's is the one that is built. */
function decodeTrustDomains(
  { customValidatorConfig: custom }: CertificateValidationContext,
  context: DecodeContext,
): readonly TrustDomainConfig[] | undefined {
  if (!custom) return undefined;
  const request = { name: custom.name, any: custom.typedConfig };
  const found = findExtension("certificate validator", request, context);
  const schema = context.protos.schema<SPIFFECertValidatorConfig>(spiffeTypeName);
  const message = found && context.read(found.config, schema);
  if (!message) return undefined;
  const names = message.trustDomains.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined)
    context.refuse(`Multiple trust bundles are given for one trust domain for ${twice}`);
  return message.trustDomains.map(({ name, trustBundle }) => ({
    name,
    bundle: decodeDataSource(trustBundle),
  }));
}

function decodeMatcher(
  { sanType, matcher }: MatcherMessage,
  context: DecodeContext,
): SubjectAltNameMatcher | undefined {
  const type = sanTypes[sanType];
  if (!type) context.refuse("match_typed_subject_alt_names: OTHER_NAME is not supported");
  // The validation rules require a matcher.
  return type && matcher && { type, matcher: decodeStringMatcher(matcher, context) };
}

/** With colons or without, as tools print it. */
function decodeHash(text: string, context: DecodeContext): string {
  const hash = text.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hash)) context.refuse(`Invalid hex-encoded SHA-256 ${text}`);
  return hash;
}

function judgeSpkiHash(text: string, context: DecodeContext): string {
  if (Buffer.from(text, "base64").length !== 32)
    context.refuse(`Invalid base64-encoded SHA-256 ${text}`);
  return text;
}
