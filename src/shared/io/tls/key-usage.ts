/**
 * What a certificate says that its key may be used for (RFC 5280 4.2.1.3), which Node does not tell: read from its DER.
 *
 * What a newcomer would get wrong: lengths come from a stranger. Whatever does not fit ends the search, and reads as none.
 */

export interface KeyUsage {
  readonly signsCertificates: boolean;
  readonly signsLists: boolean;
}

const tags = { sequence: 0x30, extensions: 0xa3, oid: 0x06, octets: 0x04, bits: 0x03 } as const;
const keyUsageOid = Buffer.of(0x55, 0x1d, 0x0f);

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

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
  return { signsCertificates: (first & 0x04) !== 0, signsLists: (first & 0x02) !== 0 };
}

/** What stands one after another in `bytes`, until it no longer fits. */
function elementsOf(bytes: Buffer): readonly Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + lengthBytes;
    if (lengthBytes > 4 || start > bytes.length) break;
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
    if (first === 0x80 || start + length > bytes.length) break;
    found.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
