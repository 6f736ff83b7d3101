/**
 * A certificate with any bytes for names. No tool signs such ones; a signature is not looked at when names are read, so
 * this one's is empty.
 */

/** DER of an element. */
function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 255), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
const oid = (hex: string): Buffer => element(0x06, Buffer.from(hex, "hex"));
const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
/** X25519, which any 32 bytes are a key of. */
const key = sequence(sequence(oid("2b656e")), element(0x03, Buffer.alloc(33, 9).fill(0, 0, 1)));
const name = sequence();
const dates = sequence(
  element(0x17, Buffer.from("200101000000Z")),
  element(0x17, Buffer.from("400101000000Z")),
);

/** `names`: tag of the GeneralName (RFC 5280, 4.2.1.6: 1 email, 2 DNS, 6 URI, 7 address) and its bytes. */
export function certificateWithNames(
  names: readonly (readonly [tag: number, value: Uint8Array])[],
): Buffer {
  const general = sequence(...names.map(([tag, value]) => element(0x80 | tag, value)));
  const extensions = element(0xa3, sequence(sequence(oid("551d11"), element(0x04, general))));
  const version = element(0xa0, element(0x02, Buffer.of(2)));
  const serial = element(0x02, Buffer.of(1));
  const signed = sequence(version, serial, ecdsaWithSha256, name, dates, name, key, extensions);
  return sequence(signed, ecdsaWithSha256, element(0x03, Buffer.of(0)));
}
