/**
 * `google_grpc`: what its `channel_credentials` and `call_credentials` say, as the TLS and the headers of a stream.
 *
 * What one would get wrong: gRPC's own client holds the server's certificate against the name in the target, without
 * being told to; Envoy's does not.
 */
import { isIP } from "node:net";
import type {
  GrpcService_GoogleGrpc as GoogleGrpc,
  GrpcService_GoogleGrpc_SslCredentials as SslCredentials,
} from "../../../gen/es/envoy/config/core/v3/grpc_service_pb.d.ts";
import { decodeDataSource } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { SubjectAltNameMatcher } from "../../shared/config/tls-config.ts";
import type { UpstreamTlsConfig, TlsSecret } from "./tls-config.ts";
import { tlsParameterDefaults } from "./tls-parameters.ts";
import { validationContextDefaults } from "./validation-contexts.ts";

/** Undefined: plain text. */
export function decodeChannelTls({
  targetUri,
  channelCredentials,
}: GoogleGrpc): UpstreamTlsConfig | undefined {
  const chosen = channelCredentials?.credentialSpecifier;
  return chosen?.case === "sslCredentials" ? decodeSsl(targetUri, chosen.value) : undefined;
}

/** Headers of every stream. */
export function decodeAccessTokens(
  { channelCredentials, callCredentials }: GoogleGrpc,
  context: DecodeContext,
): readonly { readonly key: string; readonly value: string }[] {
  const tokens = callCredentials.flatMap(({ credentialSpecifier: chosen }) =>
    chosen.case === "accessToken" ? [chosen.value] : [],
  );
  if (tokens.length > 0 && channelCredentials?.credentialSpecifier.case !== "sslCredentials")
    context.refuse("call_credentials: access_token is sent over ssl_credentials alone");
  if (tokens.some((token) => !/^[\x21-\x7e]*$/.test(token)))
    context.refuse("call_credentials: access_token is not printable ASCII");
  return tokens.map((token) => ({ key: "authorization", value: `Bearer ${token}` }));
}

function decodeSsl(targetUri: string, credentials: SslCredentials): UpstreamTlsConfig {
  const host = hostOf(targetUri);
  const trustedCa = decodeDataSource(credentials.rootCerts);
  const name: SubjectAltNameMatcher = {
    type: isIP(host) === 0 ? "dns" : "ipAddress",
    matcher: { kind: "exact", value: host, ignoreCase: true },
  };
  const context = {
    ...validationContextDefaults,
    trustedCa,
    usesSystemRoots: trustedCa === undefined,
    subjectAltNames: [name],
  };
  return {
    id: `google_grpc ${targetUri}`,
    certificate: decodeOwn(credentials),
    validation: {
      secret: { kind: "inline", value: { kind: "validationContext", context } },
      defaults: undefined,
    },
    sni: host,
    autoHostSni: false,
    alpnProtocols: [],
    parameters: { ...tlsParameterDefaults, maxVersion: "TLSv1.3" },
    allowRenegotiation: false,
    maxSessionKeys: 0,
    keyLog: undefined,
  };
}

/** One half of a pair is an error of the secret's, told when it is read. */
function decodeOwn({ privateKey, certChain }: SslCredentials): TlsSecret | undefined {
  if (!privateKey && !certChain) return undefined;
  const certificate = {
    certificateChain: decodeDataSource(certChain),
    privateKey: decodeDataSource(privateKey),
    password: undefined,
    ocspStaple: undefined,
    watchedDirectory: undefined,
  };
  return { kind: "inline", value: { kind: "tlsCertificate", certificate } };
}

/** The host of `dns:///host:port`, `ipv6:[::1]:80` and the like; a socket on this machine is `localhost`. */
function hostOf(targetUri: string): string {
  if (targetUri.startsWith("unix:")) return "localhost";
  const address = targetUri.replace(/^(dns|ipv4|ipv6):/, "").replace(/^\/\/[^/]*\//, "");
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+))(?::\d+)?$/.exec(address);
  return match?.groups?.["v6"] ?? match?.groups?.["host"] ?? address;
}
