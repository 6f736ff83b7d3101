/** `UpstreamTlsContext`, of clusters that Sluice itself speaks to. */
import type { CertificateValidationContext } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type {
  CommonTlsContext,
  UpstreamTlsContext,
} from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/tls_pb.d.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { FoundExtension } from "./extensions.ts";
import type { ClientTlsConfig, TlsSecret, ValidationSource } from "./tls-config.ts";
import { decodeSecretReference, decodeTlsCertificate } from "./secrets.ts";
import { decodeTlsParameters } from "./tls-parameters.ts";
import { decodeValidationContext } from "./validation-contexts.ts";

const typeName = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" as const;

export function decodeUpstreamTls(
  { config }: FoundExtension,
  context: DecodeContext,
): ClientTlsConfig | undefined {
  const schema = context.protos.schema<UpstreamTlsContext>(typeName);
  const message = context.read(config, schema);
  if (!message) return undefined;
  const { commonTlsContext: common, sni } = message;
  const validation = common && decodeValidation(common, context);
  if (!validation)
    context.warn(
      `${typeName}.common_tls_context`,
      "it has no validation context, so the server's certificate is not verified",
    );
  return {
    certificate: common && decodeCertificate(common, context),
    validation,
    sni,
    alpnProtocols: common?.alpnProtocols ?? [],
    parameters: decodeTlsParameters(common?.tlsParams, context),
  };
}

function decodeCertificate(
  { tlsCertificates, tlsCertificateSdsSecretConfigs: named }: CommonTlsContext,
  context: DecodeContext,
): TlsSecret | undefined {
  if (tlsCertificates.length > 1 || named.length > 1)
    context.refuse("Multiple TLS certificates are not supported for client contexts");
  const [certificate] = tlsCertificates;
  if (certificate) {
    const value = {
      kind: "tlsCertificate",
      certificate: decodeTlsCertificate(certificate),
    } as const;
    return { kind: "inline", value };
  }
  const [reference] = named;
  return (
    reference && {
      kind: "named",
      reference: decodeSecretReference(reference, "tlsCertificate", context),
    }
  );
}

function decodeValidation(
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

function inline(message: CertificateValidationContext, context: DecodeContext): TlsSecret {
  const decoded = decodeValidationContext(message, context);
  return { kind: "inline", value: { kind: "validationContext", context: decoded } };
}
