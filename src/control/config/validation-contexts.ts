/** `CertificateValidationContext`: what a peer's certificate is held against. */
import type {
  CertificateValidationContext,
  SubjectAltNameMatcher as MatcherMessage,
} from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type { SubjectAltNameMatcher } from "../../shared/config/tls-config.ts";
import { decodeDataSource } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeStringMatcher } from "./matchers.ts";
import type { ValidationContextConfig } from "./secret-config.ts";

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
  };
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
