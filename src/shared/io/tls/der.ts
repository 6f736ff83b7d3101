/**
 * DER (X.690) as far as we look into certificates and OCSP responses ourselves.
 *
 * What a newcomer would get wrong: lengths come from a stranger. Whatever does not fit ends a list, and nothing throws.
 */

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** What stands one after another in `bytes`, until it no longer fits. */
export function elementsOf(bytes: Buffer): readonly Element[] {
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
