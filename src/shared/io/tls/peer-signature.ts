/** The algorithm by which the peer signed the handshake, under TLS's own name (RFC 8446 §4.2.3). */
import { ssl as numbers, sslCtrlSlot, sslPeerSignatureType } from "./openssl.ts";

/** By OpenSSL's numbers of objects (`obj_mac.h`). */
const kinds: ReadonlyMap<number, string> = new Map([
  [6, "rsa_pkcs1"],
  [408, "ecdsa"],
  [912, "rsa_pss_rsae"],
  [1087, "ed25519"],
]);
const digests: ReadonlyMap<number, string> = new Map([
  [64, "sha1"],
  [672, "sha256"],
  [673, "sha384"],
  [674, "sha512"],
]);
/** TLS 1.3 ties the curve to the digest; of TLS 1.2 the same names are used. */
const curves: ReadonlyMap<string, string> = new Map([
  ["sha256", "secp256r1_"],
  ["sha384", "secp384r1_"],
  ["sha512", "secp521r1_"],
]);

/** Empty: it signed nothing. */
export function peerSignatureOf(connection: number): string {
  const slot = new Uint8Array(4);
  if (sslPeerSignatureType(connection, slot) !== 1) return "";
  const kind = kinds.get(read(slot));
  if (kind === undefined || kind === "ed25519") return kind ?? "";
  if (sslCtrlSlot(connection, numbers.CTRL_GET_PEER_SIGNATURE_DIGEST, 0, slot) !== 1) return "";
  const digest = digests.get(read(slot));
  if (digest === undefined) return "";
  return kind === "ecdsa" ? `ecdsa_${curves.get(digest) ?? ""}${digest}` : `${kind}_${digest}`;
}

function read(slot: Uint8Array): number {
  return new DataView(slot.buffer).getInt32(0, true);
}
