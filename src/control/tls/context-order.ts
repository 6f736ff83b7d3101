/** What a TLS context needs, whichever side it is of, and how workers are told of it. */
import { hashOfValue } from "../config/canonical.ts";
import type {
  UpstreamTlsConfig,
  DownstreamTlsConfig,
  TicketKeySource,
  TlsSecret,
  ValidationSource,
} from "../config/tls-config.ts";
import type { TlsKeyLogConfig } from "../../shared/config/tls-config.ts";
import type { ReplyId, TlsSide, WorkerCommand } from "../../shared/protocol/worker-command.ts";
import { type ContextMaterial, serverTlsConfig, upstreamTlsConfig } from "./engine-config.ts";

/** Made for each worker: the reply is its own. */
export type ContextCommand = (reply: ReplyId) => WorkerCommand;

export interface ContextOrder {
  readonly side: TlsSide;
  /** Contexts of the two sides are apart, whatever their ids. */
  readonly key: string;
  readonly certificates: readonly TlsSecret[];
  readonly validation: ValidationSource | undefined;
  readonly ticketKeys: TicketKeySource;
  readonly keyLog: TlsKeyLogConfig | undefined;
  /** Throws a `SecretError` where the secrets do not go together. */
  command(material: ContextMaterial): ContextCommand;
  readonly removal: WorkerCommand;
}

export function serverOrder(config: DownstreamTlsConfig): ContextOrder {
  const { id, certificates, validation, ticketKeys, keyLog } = config;
  const side = "server";
  return {
    side,
    key: `${side} ${id}`,
    certificates,
    validation,
    ticketKeys,
    keyLog,
    command(material) {
      const context = { side, id, config: serverTlsConfig(config, material) } as const;
      return (reply) => ({ kind: "setTls", context, reply });
    },
    removal: { kind: "removeTls", side, id },
  };
}

export function clientOrder(config: UpstreamTlsConfig): ContextOrder {
  const { id, certificate, validation, keyLog } = config;
  const side = "client";
  return {
    side,
    key: `${side} ${id}`,
    certificates: certificate ? [certificate] : [],
    validation,
    ticketKeys: { kind: "none" },
    keyLog,
    command(material) {
      const context = { side, id, config: upstreamTlsConfig(config, material) } as const;
      return (reply) => ({ kind: "setTls", context, reply });
    },
    removal: { kind: "removeTls", side, id },
  };
}

/** What sessions were verified by: those of another are not to be resumed. */
export function validationKey(material: ContextMaterial): string {
  const { validation } = material;
  if (!validation) return "";
  const { authorities, crl, trustDomains, ...rules } = validation;
  const pem = typeof authorities === "object" ? authorities.pem.toString("latin1") : authorities;
  const domains = trustDomains?.map(({ name, authorities: bundle }) => [
    name,
    bundle.pem.toString("latin1"),
  ]);
  return hashOfValue([rules, pem, crl?.toString("latin1"), domains]);
}
