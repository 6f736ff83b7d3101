/** What is wrong with TLS of the bootstrap, as far as it stands there: a start is refused for it, as by Envoy. */
import { messageOf } from "../../shared/common/errors.ts";
import type { DecodedSecret } from "../config/secret-config.ts";
import type { ClientTlsConfig, TlsSecret } from "../config/tls-config.ts";
import { SecretError } from "../secret/data-source-reader.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { loadSecret, readValidation } from "../secret/secret-loader.ts";
import type { SecretMaterial } from "../secret/secret-material.ts";
import { buildContext, mergeValidation } from "./client-context.ts";

/** Undefined: nothing, or nothing before its secrets have come. */
export function tlsErrorOf(
  config: ClientTlsConfig,
  statics: readonly DecodedSecret[],
  files: SecretFiles,
): string | undefined {
  try {
    const certificate = config.certificate && materialOf(config.certificate, statics, files);
    const named = config.validation && materialOf(config.validation.secret, statics, files);
    const defaults =
      config.validation?.defaults && readValidation(config.validation.defaults, files);
    const validation =
      named?.kind === "validationContext" ? mergeValidation(defaults, named) : undefined;
    buildContext(config, {
      certificate: certificate?.kind === "tlsCertificate" ? certificate : undefined,
      validation,
    });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Undefined: it comes by SDS. */
function materialOf(
  secret: TlsSecret,
  statics: readonly DecodedSecret[],
  files: SecretFiles,
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
  const what = kind === "tlsCertificate" ? "secret" : "certificate validation context";
  if (!found) throw new SecretError(`Unknown static ${what}: ${name}`);
  return found.value;
}
