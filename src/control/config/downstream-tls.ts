/** `DownstreamTlsContext`: TLS of filter chains. Refusals are in Envoy's words (measured on 1.40). */
import type { DownstreamTlsContext } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/tls_pb.d.ts";
import { hashOf } from "./canonical.ts";
import { decodeCertificates, decodeKeyLog, decodeValidation } from "./common-tls.ts";
import { decodeDataSource } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { FoundExtension } from "./extensions.ts";
import { decodeSecretReference } from "./secrets.ts";
import type { DownstreamTlsConfig, TicketKeySource, TlsSecret } from "./tls-config.ts";
import { decodeTlsParameters, serverTlsVersions } from "./tls-parameters.ts";

const typeName = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext" as const;

/** By the numbers of `OcspStaplePolicy`. */
const staplePolicies = ["lenient", "strict", "must"] as const;

export function decodeDownstreamTls(
  { config }: FoundExtension,
  context: DecodeContext,
): DownstreamTlsConfig | undefined {
  const schema = context.protos.schema<DownstreamTlsContext>(typeName);
  const message = context.read(config, schema);
  if (!message) return undefined;
  const { commonTlsContext: common } = message;
  const certificates = common ? decodeCertificates(common, context) : [];
  judgeCertificates(certificates, context);
  const validation = common && decodeValidation(common, context);
  const requires = message.requireClientCertificate ?? false;
  // As in Envoy (measured): clients are not even asked.
  if (requires && !validation)
    context.warn(
      `${typeName}.require_client_certificate`,
      "without a validation context all are let in",
    );
  return {
    id: hashOf(schema, message),
    certificates,
    validation,
    requireClientCertificate: requires && validation !== undefined,
    alpnProtocols: common?.alpnProtocols ?? [],
    parameters: decodeTlsParameters(common?.tlsParams, serverTlsVersions, context),
    ticketKeys: decodeTicketKeys(message, context),
    sessionTimeoutS: message.sessionTimeout && Number(message.sessionTimeout.seconds),
    disableStatefulResumption: message.disableStatefulSessionResumption,
    ocspStaplePolicy: staplePolicies[message.ocspStaplePolicy] ?? "lenient",
    preferClientCiphers: message.preferClientCiphers,
    keyLog: decodeKeyLog(common?.keyLog, context),
  };
}

function judgeCertificates(certificates: readonly TlsSecret[], context: DecodeContext): void {
  if (certificates.length === 0) context.refuse("No TLS certificates found for server context");
  if (new Set(certificates.map(({ kind }) => kind)).size > 1)
    context.refuse("SDS and non-SDS TLS certificates may not be mixed in server contexts");
}

function decodeTicketKeys(
  { sessionTicketKeysType: chosen }: DownstreamTlsContext,
  context: DecodeContext,
): TicketKeySource {
  switch (chosen.case) {
    case "sessionTicketKeys": {
      const keys = chosen.value.keys.flatMap((key) => decodeDataSource(key) ?? []);
      return {
        kind: "secret",
        secret: { kind: "inline", value: { kind: "sessionTicketKeys", keys } },
      };
    }
    case "sessionTicketKeysSdsSecretConfig": {
      const reference = decodeSecretReference(chosen.value, "sessionTicketKeys", context);
      return { kind: "secret", secret: { kind: "named", reference } };
    }
    case "disableStatelessSessionResumption":
      return { kind: chosen.value ? "none" : "own" };
    case undefined:
      return { kind: "own" };
    default:
      return chosen satisfies never;
  }
}
