/**
 * What a certificate says that its key may be used for (RFC 5280 4.2.1.3), which Node does not tell: read from its DER.
 */
import { elementsOf } from "./der.ts";
import { keyUsageText } from "./failure-text.ts";
import type { TlsFailure, TlsSession } from "./tls.ts";

export interface KeyUsage {
  readonly signs: boolean;
  readonly encryptsKeys: boolean;
  readonly signsCertificates: boolean;
  readonly signsLists: boolean;
}

const tags = { sequence: 0x30, extensions: 0xa3, oid: 0x06, octets: 0x04, bits: 0x03 } as const;
const keyUsageOid = Buffer.of(0x55, 0x1d, 0x0f);

/** Undefined: it says nothing, or cannot be read. Never throws. */
export function keyUsageOf(der: Buffer): KeyUsage | undefined {
  const [certificate] = elementsOf(der);
  const [signed] = certificate ? elementsOf(certificate.content) : [];
  const wrapped = signed && elementsOf(signed.content).find(({ tag }) => tag === tags.extensions);
  const [list] = wrapped ? elementsOf(wrapped.content) : [];
  for (const { content } of list ? elementsOf(list.content) : []) {
    const parts = elementsOf(content);
    const [oid] = parts;
    const value = parts.at(-1);
    if (oid?.tag === tags.oid && oid.content.equals(keyUsageOid) && value?.tag === tags.octets)
      return bitsOf(value.content);
  }
  return undefined;
}

/** A BIT STRING: how many bits of the last byte are none, then the bits, the first one highest. */
function bitsOf(octets: Buffer): KeyUsage | undefined {
  const [bits] = elementsOf(octets);
  const first = bits?.content[1];
  if (bits?.tag !== tags.bits || first === undefined) return undefined;
  return keyUsageFrom(first);
}

/** The first eight bits, the first one highest, as OpenSSL gives them too (`X509_get_key_usage`). */
export function keyUsageFrom(bits: number): KeyUsage {
  return {
    signs: (bits & 0x80) !== 0,
    encryptsKeys: (bits & 0x20) !== 0,
    signsCertificates: (bits & 0x04) !== 0,
    signsLists: (bits & 0x02) !== 0,
  };
}

/**
 * Whether a server may use its key as it did (RFC 5246 7.4.2, RFC 8446 4.4.2.2): OpenSSL does not ask, BoringSSL always
 * does, whatever Envoy's `enforce_rsa_key_usage` says (measured). Only where keys are not signed are they encrypted.
 */
export function keyUsageFailure(
  usage: KeyUsage | undefined,
  { version, cipher }: Pick<TlsSession, "version" | "cipher">,
): TlsFailure | undefined {
  if (!usage) return undefined;
  const isSigned = version === "TLSv1.3" || /^(EC)?DHE-/.test(cipher);
  const isRight = isSigned ? usage.signs : usage.encryptsKeys;
  return isRight ? undefined : { kind: "protocol", reason: keyUsageText() };
}
