/**
 * TLS of one configuration: holds its secrets, and takes new ones for the connections to come (Envoy:
 * `ClientSslSocketFactory`). What is open stays open on the certificates that it began with.
 */
import type { Socket } from "node:net";
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { UpstreamTlsConfig, TlsSecret } from "../config/tls-config.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { readValidation } from "../secret/secret-loader.ts";
import type { SecretLease, SecretManager } from "../secret/secret-manager.ts";
import type { SecretMaterial, ValidationMaterial } from "../secret/secret-material.ts";
import type { InnerProtocol, SocketSecurity } from "../xds/socket-security.ts";
import { buildContext, type ClientContext, mergeValidation } from "./client-context.ts";
import { shakeHands, TlsError } from "./tls-handshake.ts";
import type { TlsStats } from "./tls-stats.ts";

export interface TlsClientParts {
  readonly config: UpstreamTlsConfig;
  /** For logs: the cluster, or the target. */
  readonly name: string;
  readonly secrets: Pick<SecretManager, "acquire" | "hold">;
  readonly files: SecretFiles;
  /** Undefined: Envoy counts nothing for it (`google_grpc`). */
  readonly stats: TlsStats | undefined;
  readonly log: Logger;
}

export class TlsClient implements SocketSecurity, Disposable {
  readonly #parts: TlsClientParts;
  readonly #defaults: ValidationMaterial | undefined;
  readonly #certificate: SecretLease | undefined;
  readonly #validation: SecretLease | undefined;
  readonly #ready = Promise.withResolvers<void>();
  /** Undefined: its secrets have not come. */
  #context: ClientContext | undefined;

  constructor(parts: TlsClientParts) {
    const { certificate, validation } = parts.config;
    this.#parts = parts;
    this.#defaults = validation?.defaults && readValidation(validation.defaults, parts.files);
    this.#certificate = certificate && this.#lease(certificate, "tls_certificate");
    this.#validation = validation && this.#lease(validation.secret, "validation_context");
    this.#rebuild();
    this.#settle();
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async secure(socket: Socket, protocol: InnerProtocol | undefined): Promise<Socket> {
    const { config, stats, name } = this.#parts;
    const context = this.#context;
    if (!context) {
      stats?.countFactory("upstream_context_secrets_not_ready");
      socket.destroy();
      throw new TlsError("handshake", `the secrets of '${name}' have not come`);
    }
    const alpnProtocols = offered(config.alpnProtocols, protocol);
    try {
      const secured = await shakeHands(socket, { context, sni: config.sni, alpnProtocols });
      stats?.countHandshake();
      return secured;
    } catch (error) {
      if (error instanceof TlsError) stats?.countFailure(error.failure);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#certificate?.[Symbol.dispose]();
    this.#validation?.[Symbol.dispose]();
    this.#parts.stats?.[Symbol.dispose]();
  }

  #lease(secret: TlsSecret, what: string): SecretLease {
    const { secrets, name, stats } = this.#parts;
    const observer = {
      onReady: () => this.#settle(),
      onMaterial: () => {
        this.#rebuild();
        if (secret.kind === "named") stats?.countFactory("ssl_context_update_by_sds");
      },
    };
    if (secret.kind === "named") return secrets.acquire(secret.reference, observer);
    const { value } = secret;
    return secrets.hold({ name: `${name}.${what}`, value, bytes: new Uint8Array() }, observer);
  }

  #settle(): void {
    if (this.#certificate?.isReady === false || this.#validation?.isReady === false) return;
    this.#ready.resolve();
  }

  /** What was good stays when OpenSSL does not take what came. */
  #rebuild(): void {
    const { config, log, name } = this.#parts;
    const certificate = this.#certificate?.material;
    const validation = this.#validation?.material;
    if ((config.certificate && !certificate) || (config.validation && !validation)) return;
    try {
      this.#context = buildContext(config, {
        certificate: certificate?.kind === "tlsCertificate" ? certificate : undefined,
        validation: this.#merged(validation),
      });
    } catch (error) {
      log.warning(`TLS to '${name}' keeps its certificates: ${messageOf(error)}`);
    }
  }

  #merged(material: SecretMaterial | undefined): ValidationMaterial | undefined {
    return material?.kind === "validationContext"
      ? mergeValidation(this.#defaults, material)
      : undefined;
  }
}

/** gRPC servers ask for `h2`; others are asked by the configuration whether there is to be ALPN at all. */
function offered(configured: readonly string[], protocol: InnerProtocol | undefined) {
  if (protocol === undefined) return configured;
  return configured.length > 0 || protocol === "h2" ? [protocol] : [];
}
