/**
 * Certificates put together byte by byte: with any bytes for names, which no tool signs (a signature is not looked at when
 * names are read, so theirs is empty), and very many of them.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

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
const name = sequence();
const dates = sequence(
  element(0x17, Buffer.from("200101000000Z")),
  element(0x17, Buffer.from("400101000000Z")),
);

/** X25519, which any 32 bytes are a key of. */
const anyKey = sequence(sequence(oid("2b656e")), element(0x03, Buffer.alloc(33, 9).fill(0, 0, 1)));

/** `names`: tag of the GeneralName (RFC 5280, 4.2.1.6: 1 email, 2 DNS, 6 URI, 7 address) and its bytes. */
type Names = readonly (readonly [tag: number, value: Uint8Array])[];

export function certificateWithNames(names: Names): Buffer {
  return sequence(
    signedPart(names, 0x100_0000, anyKey),
    ecdsaWithSha256,
    element(0x03, Buffer.of(0)),
  );
}

export interface OwnKey {
  readonly pem: string;
  readonly privateKey: KeyObject;
  /** DER. */
  readonly publicKey: Buffer;
}

export function newOwnKey(): OwnKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    pem: String(privateKey.export({ type: "pkcs8", format: "pem" })),
    privateKey,
    publicKey: publicKey.export({ type: "spki", format: "der" }),
  };
}

/** In no time, where a tool would take a thousand times as long: PEM. `serial`: from 2^24 to 2^31. */
export function selfSigned(host: string, serial: number, key: OwnKey): string {
  const signed = signedPart([[2, Buffer.from(host)]], serial, key.publicKey);
  const signature = sign("sha256", signed, key.privateKey);
  const bits = element(0x03, Buffer.of(0), signature);
  const der = sequence(signed, ecdsaWithSha256, bits);
  const lines = der.toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function signedPart(names: Names, serial: number, key: Uint8Array): Buffer {
  const general = sequence(...names.map(([tag, value]) => element(0x80 | tag, value)));
  const extensions = element(0xa3, sequence(sequence(oid("551d11"), element(0x04, general))));
  const version = element(0xa0, element(0x02, Buffer.of(2)));
  const number = Buffer.alloc(4);
  number.writeInt32BE(serial);
  const serialNumber = element(0x02, number);
  return sequence(version, serialNumber, ecdsaWithSha256, name, dates, name, key, extensions);
}
