/**
 * TLS as it was configured: `DownstreamTlsContext`, `UpstreamTlsContext`, and the `ssl_credentials` of `google_grpc`. What
 * its secrets hold is not known yet; `control/tls` brings both together.
 */
import type { TlsKeyLogConfig, TlsParameterConfig } from "../../shared/config/tls-config.ts";
import type { SecretReference, SecretValue, ValidationContextConfig } from "./secret-config.ts";

/** Of filter chains. */
export interface DownstreamTlsConfig {
  /** Equal for equal configurations: chains that say the same share what is made of it. */
  readonly id: string;
  /** At least one; all in the configuration itself or all by name. */
  readonly certificates: readonly TlsSecret[];
  /** Undefined: no client is asked for a certificate. */
  readonly validation: ValidationSource | undefined;
  readonly requireClientCertificate: boolean;
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameterConfig;
  readonly ticketKeys: TicketKeySource;
  readonly sessionTimeoutS: number | undefined;
  readonly disableStatefulResumption: boolean;
  readonly ocspStaplePolicy: "lenient" | "strict" | "must";
  readonly preferClientCiphers: boolean;
  readonly keyLog: TlsKeyLogConfig | undefined;
}

export type TicketKeySource =
  /** Nobody says any: they are made up. */
  | { readonly kind: "own" }
  | { readonly kind: "secret"; readonly secret: TlsSecret }
  /** `disable_stateless_session_resumption`. */
  | { readonly kind: "none" };

/** Of clusters, and of what main itself speaks to. */
export interface UpstreamTlsConfig {
  /** As of `DownstreamTlsConfig`. */
  readonly id: string;
  /** Shown to a server that asks for one; undefined: none. */
  readonly certificate: TlsSecret | undefined;
  /** What the server's certificate is held against; undefined: nothing, anybody may be the server. */
  readonly validation: ValidationSource | undefined;
  /** Sent as the name of the server; empty: none is sent. */
  readonly sni: string;
  /** `auto_host_sni`: the name of the endpoint is sent, where it has one. */
  readonly autoHostSni: boolean;
  /** Offered in this order; empty: what the protocol needs. */
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameterConfig;
  readonly allowRenegotiation: boolean;
  readonly maxSessionKeys: number;
  readonly keyLog: TlsKeyLogConfig | undefined;
}

/** In the configuration itself, or by name. */
export type TlsSecret =
  | { readonly kind: "inline"; readonly value: SecretValue }
  | { readonly kind: "named"; readonly reference: SecretReference };

export interface ValidationSource {
  readonly secret: TlsSecret;
  /** `combined_validation_context`: what the named secret is laid over. */
  readonly defaults: ValidationContextConfig | undefined;
}

/** What of a context comes by name, from the bootstrap or by SDS. */
export function referencesOf(
  secrets: readonly (TlsSecret | undefined)[],
): readonly SecretReference[] {
  return secrets.flatMap((secret) => (secret?.kind === "named" ? [secret.reference] : []));
}

/** All that a filter chain's TLS is made of. */
export function downstreamSecrets(config: DownstreamTlsConfig): readonly TlsSecret[] {
  const { certificates, validation, ticketKeys } = config;
  return [
    ...certificates,
    ...(validation ? [validation.secret] : []),
    ...(ticketKeys.kind === "secret" ? [ticketKeys.secret] : []),
  ];
}

/** As `downstreamSecrets`, of a client's. */
export function clientSecrets({
  certificate,
  validation,
}: UpstreamTlsConfig): readonly TlsSecret[] {
  return [...(certificate ? [certificate] : []), ...(validation ? [validation.secret] : [])];
}
