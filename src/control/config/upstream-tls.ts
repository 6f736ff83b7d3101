/** `UpstreamTlsContext`: TLS to clusters, whoever speaks to them. */
import type { UpstreamTlsContext } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/tls_pb.d.ts";
import { hashOf } from "./canonical.ts";
import { decodeCertificates, decodeKeyLog, decodeValidation } from "./common-tls.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { FoundExtension } from "./extensions.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";
import { clientTlsVersions, decodeTlsParameters } from "./tls-parameters.ts";

const typeName = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" as const;

export function decodeUpstreamTls(
  { config }: FoundExtension,
  context: DecodeContext,
): UpstreamTlsConfig | undefined {
  const schema = context.protos.schema<UpstreamTlsContext>(typeName);
  const message = context.read(config, schema);
  if (!message) return undefined;
  const { commonTlsContext: common, sni, autoHostSni, allowRenegotiation } = message;
  const certificates = common ? decodeCertificates(common, context) : [];
  if (certificates.length > 1)
    context.refuse("Multiple TLS certificates are not supported for client contexts");
  if (sni.includes("\0")) context.refuse("SNI names containing NULL-byte are not allowed");
  const validation = common && decodeValidation(common, context);
  if (!validation)
    context.warn(
      `${typeName}.common_tls_context`,
      "it has no validation context, so the server's certificate is not verified",
    );
  return {
    id: hashOf(schema, message),
    certificate: certificates[0],
    validation,
    sni,
    autoHostSni,
    alpnProtocols: common?.alpnProtocols ?? [],
    parameters: decodeTlsParameters(common?.tlsParams, clientTlsVersions, context),
    allowRenegotiation,
    // Docs: `max_session_keys`, "defaults to 1".
    maxSessionKeys: message.maxSessionKeys ?? 1,
    keyLog: decodeKeyLog(common?.keyLog, context),
  };
}
