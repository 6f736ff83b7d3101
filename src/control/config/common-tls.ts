/** `CommonTlsContext`: what servers and clients say alike. */
import type { CertificateValidationContext } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type {
  CommonTlsContext,
  TlsKeyLog,
} from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/tls_pb.d.ts";
import type { TlsKeyLogConfig } from "../../shared/config/tls-config.ts";
import { decodeCidrRange } from "./addresses.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeSecretReference, decodeTlsCertificate } from "./secrets.ts";
import type { TlsSecret, ValidationSource } from "./tls-config.ts";
import { decodeValidationContext } from "./validation-contexts.ts";

export function decodeCertificates(
  { tlsCertificates, tlsCertificateSdsSecretConfigs }: CommonTlsContext,
  context: DecodeContext,
): readonly TlsSecret[] {
  const inline = tlsCertificates.map((message): TlsSecret => {
    const certificate = decodeTlsCertificate(message, context);
    return { kind: "inline", value: { kind: "tlsCertificate", certificate } };
  });
  const named = tlsCertificateSdsSecretConfigs.map((message): TlsSecret => ({
    kind: "named",
    reference: decodeSecretReference(message, "tlsCertificate", context),
  }));
  return [...inline, ...named];
}

export function decodeValidation(
  { validationContextType: chosen }: CommonTlsContext,
  context: DecodeContext,
): ValidationSource | undefined {
  switch (chosen.case) {
    case "validationContext":
      return { secret: inline(chosen.value, context), defaults: undefined };
    case "validationContextSdsSecretConfig": {
      const reference = decodeSecretReference(chosen.value, "validationContext", context);
      return { secret: { kind: "named", reference }, defaults: undefined };
    }
    case "combinedValidationContext": {
      const { defaultValidationContext, validationContextSdsSecretConfig: named } = chosen.value;
      // The validation rules require both.
      if (!named) return undefined;
      return {
        secret: {
          kind: "named",
          reference: decodeSecretReference(named, "validationContext", context),
        },
        defaults:
          defaultValidationContext && decodeValidationContext(defaultValidationContext, context),
      };
    }
    // Refused by the field policy.
    case "validationContextCertificateProvider":
    case "validationContextCertificateProviderInstance":
    case undefined:
      return undefined;
    default:
      return chosen satisfies never;
  }
}

export function decodeKeyLog(
  message: TlsKeyLog | undefined,
  context: DecodeContext,
): TlsKeyLogConfig | undefined {
  if (!message) return undefined;
  return {
    path: message.path,
    localRanges: message.localAddressRange.map((range) => decodeCidrRange(range, context)),
    remoteRanges: message.remoteAddressRange.map((range) => decodeCidrRange(range, context)),
  };
}

function inline(message: CertificateValidationContext, context: DecodeContext): TlsSecret {
  const decoded = decodeValidationContext(message, context);
  return { kind: "inline", value: { kind: "validationContext", context: decoded } };
}
