/**
 * What a session is good for (SSL_CTX_set_session_id_context(3)): resuming it skips verification, so one that was made under
 * other rules must not be resumed (Envoy: `generateHashForSessionContextId`).
 */
import { createHash, type Hash } from "node:crypto";
import type { PeerValidation, ServerTlsConfig } from "../../config/tls-config.ts";

/** 32 bytes: equal on all workers, and after a rotation of the certificate. */
export function sessionContextOf({
  validation,
  requiresClientCertificate,
}: Pick<ServerTlsConfig, "validation" | "requiresClientCertificate">): Buffer {
  const hash = createHash("sha256");
  addPart(hash, String(requiresClientCertificate));
  if (validation) addValidation(hash, validation);
  return hash.digest();
}

function addValidation(hash: Hash, { authoritiesPem, crlPem, ...rest }: PeerValidation): void {
  addPart(hash, authoritiesPem ?? "none");
  addPart(hash, crlPem ?? "none");
  addPart(hash, JSON.stringify(rest));
}

/** With its length, so that no two lists of parts read alike. */
function addPart(hash: Hash, part: string | Uint8Array): void {
  hash.update(`${part.length}:`).update(part);
}
