/**
 * Secrets, and where somebody asks for one: `Secret`, `SdsSecretConfig` of
 * `envoy.extensions.transport_sockets.tls.v3`.
 *
 * What one would get wrong: a secret that decodes may still be bad. What its files hold is judged when they are
 * read (`control/secret`), and a push is answered only then.
 */
import type { TlsCertificate } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/common_pb.d.ts";
import type {
  SdsSecretConfig,
  Secret,
} from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/secret_pb.d.ts";
import { decodeConfigSource } from "./config-sources.ts";
import { decodeDataSource } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type {
  DecodedSecret,
  SecretKind,
  SecretReference,
  SecretValue,
  TlsCertificateConfig,
} from "./secret-config.ts";
import { decodeValidationContext } from "./validation-contexts.ts";

export const secretTypeName = "envoy.extensions.transport_sockets.tls.v3.Secret" as const;

export function decodeSecret(
  message: Secret,
  context: DecodeContext,
  bytes: Uint8Array,
): DecodedSecret | undefined {
  const value = decodeSecretValue(message, context);
  return value && { name: message.name, value, bytes };
}

function decodeSecretValue({ type }: Secret, context: DecodeContext): SecretValue | undefined {
  switch (type.case) {
    case "tlsCertificate":
      return { kind: "tlsCertificate", certificate: decodeTlsCertificate(type.value, context) };
    case "validationContext":
      return {
        kind: "validationContext",
        context: decodeValidationContext(type.value, context),
      };
    case "sessionTicketKeys":
      return {
        kind: "sessionTicketKeys",
        keys: type.value.keys.flatMap((key) => decodeDataSource(key) ?? []),
      };
    case "genericSecret":
      return { kind: "genericSecret", secret: decodeDataSource(type.value.secret) };
    case undefined:
      context.refuse("Secret type not implemented");
      return undefined;
    default:
      return type satisfies never;
  }
}

export function decodeTlsCertificate(
  message: TlsCertificate,
  context: DecodeContext,
): TlsCertificateConfig {
  // DER is no text: Envoy says so too.
  if (message.ocspStaple?.specifier.case === "inlineString")
    context.refuse("OCSP staple cannot be provided via inline_string");
  return {
    certificateChain: decodeDataSource(message.certificateChain),
    privateKey: decodeDataSource(message.privateKey),
    password: decodeDataSource(message.password),
    ocspStaple: decodeDataSource(message.ocspStaple),
    watchedDirectory: message.watchedDirectory?.path,
  };
}

export function decodeSecretReference(
  { name, sdsConfig }: SdsSecretConfig,
  kind: SecretKind,
  context: DecodeContext,
): SecretReference {
  return { name, kind, source: sdsConfig && decodeConfigSource(sdsConfig, context) };
}
