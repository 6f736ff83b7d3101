/** TLS as a client speaks it: `UpstreamTlsContext`, and the `ssl_credentials` of `google_grpc`. */
import type { TlsParameterConfig } from "../../shared/config/tls-config.ts";
import type { SecretReference, SecretValue, ValidationContextConfig } from "./secret-config.ts";

export interface ClientTlsConfig {
  /** Shown to a server that asks for one; undefined: none. */
  readonly certificate: TlsSecret | undefined;
  /** What the server's certificate is held against; undefined: nothing, anybody may be the server. */
  readonly validation: ValidationSource | undefined;
  /** Sent as the name of the server; empty: none is sent. */
  readonly sni: string;
  /** Offered in this order; empty: what the protocol needs. */
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameterConfig;
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
