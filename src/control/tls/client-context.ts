/** What OpenSSL needs for connections of one configuration, made anew whenever a certificate is another. */
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { messageOf } from "../../shared/common/errors.ts";
import type { PeerJudge } from "../../shared/io/tls/tls.ts";
import { compilePeerJudge } from "../../shared/tls/peer-judge.ts";
import type { UpstreamTlsConfig } from "../config/tls-config.ts";
import { SecretError } from "../secret/data-source-reader.ts";
import { judgeValidation } from "../secret/secret-loader.ts";
import type { TlsCertificateMaterial, ValidationMaterial } from "../secret/secret-material.ts";

export interface ClientContext {
  readonly context: SecureContext;
  /** Undefined: anybody may be the server. */
  readonly validation: ValidationMaterial | undefined;
  /** Of its leaf; undefined: any will do. */
  readonly judge: PeerJudge | undefined;
}

/** What was read of the secrets that a configuration names. */
export interface ClientMaterial {
  readonly certificate: TlsCertificateMaterial | undefined;
  readonly validation: ValidationMaterial | undefined;
}

/** Lets TLS 1.3 be spoken: Node takes it away where none of its suites is named. */
const modernSuites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

/** Throws a `SecretError` where OpenSSL does not take it. */
export function buildContext(
  { parameters }: UpstreamTlsConfig,
  { certificate, validation }: ClientMaterial,
): ClientContext {
  if (validation) judgeRules(validation);
  const { minVersion, maxVersion, cipherSuites, ecdhCurves, signatureAlgorithms } = parameters;
  try {
    const context = createSecureContext({
      minVersion,
      maxVersion,
      ciphers: `${modernSuites}:${cipherSuites}`,
      // A CA in the middle of a chain may be the one that is trusted (Envoy does so).
      allowPartialTrustChain: true,
      ca: authoritiesOf(validation),
      ...(ecdhCurves === "" ? {} : { ecdhCurve: ecdhCurves }),
      ...(signatureAlgorithms === "" ? {} : { sigalgs: signatureAlgorithms }),
      ...(validation?.crl ? { crl: validation.crl } : {}),
      ...(certificate ? ownOf(certificate) : {}),
    });
    return { context, validation, judge: validation && compilePeerJudge(validation) };
  } catch (error) {
    throw new SecretError(`TLS context: ${messageOf(error)}`, { cause: error });
  }
}

/** What Node's TLS cannot be told, and would trust others for. */
function judgeRules(validation: ValidationMaterial): void {
  judgeValidation(validation);
  const { trustDomains, maxVerifyDepth, onlyVerifyLeafCertCrl, allowExpiredCertificate } =
    validation;
  const unheeded = {
    custom_validator_config: trustDomains !== undefined,
    max_verify_depth: maxVerifyDepth !== undefined,
    only_verify_leaf_cert_crl: onlyVerifyLeafCertCrl,
    allow_expired_certificate: allowExpiredCertificate,
  };
  for (const [field, isSet] of Object.entries(unheeded))
    if (isSet) throw new SecretError(`${field} is not supported for what Sluice itself sends`);
}

function ownOf({ chain, privateKey, passphrase }: TlsCertificateMaterial) {
  return { cert: chain.pem, key: privateKey, ...(passphrase === undefined ? {} : { passphrase }) };
}

/** Never OpenSSL's own list, which absence would mean. */
function authoritiesOf(validation: ValidationMaterial | undefined): string[] | Buffer {
  const { authorities } = validation ?? {};
  if (authorities === "system") return getCACertificates("system");
  return authorities?.pem ?? [];
}

/** `combined_validation_context`: lists are joined, and what the secret sets wins. */
export function mergeValidation(
  defaults: ValidationMaterial | undefined,
  secret: ValidationMaterial,
): ValidationMaterial {
  if (!defaults) return secret;
  return {
    kind: "validationContext",
    authorities: secret.authorities ?? defaults.authorities,
    crl: secret.crl ?? defaults.crl,
    certificateHashes: [...defaults.certificateHashes, ...secret.certificateHashes],
    spkiHashes: [...defaults.spkiHashes, ...secret.spkiHashes],
    subjectAltNames: [...defaults.subjectAltNames, ...secret.subjectAltNames],
    acceptsUntrusted: defaults.acceptsUntrusted || secret.acceptsUntrusted,
    onlyVerifyLeafCertCrl: defaults.onlyVerifyLeafCertCrl || secret.onlyVerifyLeafCertCrl,
    allowExpiredCertificate: defaults.allowExpiredCertificate || secret.allowExpiredCertificate,
    maxVerifyDepth: secret.maxVerifyDepth ?? defaults.maxVerifyDepth,
    trustDomains: secret.trustDomains ?? defaults.trustDomains,
  };
}
