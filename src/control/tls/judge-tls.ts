/**
 * What is wrong with a TLS context, as far as it stands in the configuration or in the bootstrap: a push or a start is
 * refused for it, as by Envoy.
 */
import { messageOf } from "../../shared/common/errors.ts";
import type { DecodedSecret } from "../config/secret-config.ts";
import type { UpstreamTlsConfig, TlsSecret } from "../config/tls-config.ts";
import { SecretError } from "../secret/data-source-reader.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { loadSecret, readValidation } from "../secret/secret-loader.ts";
import { unknownTexts } from "../secret/secret-manager.ts";
import type { SecretMaterial } from "../secret/secret-material.ts";
import { buildContext, mergeValidation } from "./client-context.ts";
import type { ContextOrder } from "./context-order.ts";
import type { ContextMaterial } from "./engine-config.ts";

/** Where secrets are looked for before any has come. */
export interface KnownSecrets {
  readonly statics: readonly DecodedSecret[];
  readonly files: SecretFiles;
}

/** Undefined: nothing, or nothing before its secrets have come. */
export function contextErrorOf(order: ContextOrder, known: KnownSecrets): string | undefined {
  return errorOf(() => {
    const material = materialOf(order, known);
    if (material) order.command(material);
    const error = order.keyLog && known.files.appendError(order.keyLog.path);
    if (error !== undefined) throw new SecretError(error);
  });
}

/** As `contextErrorOf`, of what main itself speaks to: Node has to take it. */
export function ownTlsErrorOf(
  config: UpstreamTlsConfig,
  order: ContextOrder,
  known: KnownSecrets,
): string | undefined {
  return errorOf(() => {
    const material = materialOf(order, known);
    if (!material) return;
    const { certificates, validation } = material;
    buildContext(config, { certificate: certificates[0], validation });
  });
}

function errorOf(judge: () => void): string | undefined {
  try {
    judge();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Undefined: some of it comes by SDS; what does not was judged all the same. */
function materialOf(order: ContextOrder, known: KnownSecrets): ContextMaterial | undefined {
  const { validation: source, ticketKeys } = order;
  const load = (secret: TlsSecret): SecretMaterial | undefined => loadKnown(secret, known);
  const certificates = order.certificates.map(load);
  const named = source && load(source.secret);
  const defaults = source?.defaults && readValidation(source.defaults, known.files);
  const keys = ticketKeys.kind === "secret" ? [load(ticketKeys.secret)] : [];
  if ([...certificates, ...(source ? [named] : []), ...keys].includes(undefined)) return undefined;
  return {
    certificates: certificates.flatMap((one) => (one?.kind === "tlsCertificate" ? [one] : [])),
    validation: named?.kind === "validationContext" ? mergeValidation(defaults, named) : undefined,
    ticketKeys: keys.flatMap((one) => (one?.kind === "sessionTicketKeys" ? one.keys : [])),
  };
}

/** Undefined: it comes by SDS. */
function loadKnown(
  secret: TlsSecret,
  { statics, files }: KnownSecrets,
): SecretMaterial | undefined {
  if (secret.kind === "named" && secret.reference.source) return undefined;
  const value = secret.kind === "inline" ? secret.value : staticOf(secret, statics);
  const loaded = loadSecret(value, files);
  if (loaded.ok) return loaded.material;
  throw new SecretError(loaded.error);
}

function staticOf(
  { reference: { name, kind } }: Extract<TlsSecret, { kind: "named" }>,
  statics: readonly DecodedSecret[],
): DecodedSecret["value"] {
  const found = statics.find((one) => one.name === name && one.value.kind === kind);
  if (!found) throw new SecretError(`${unknownTexts[kind]}: ${name}`);
  return found.value;
}
