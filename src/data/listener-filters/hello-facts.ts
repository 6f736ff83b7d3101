/**
 * What a ClientHello asks for: the server's name (RFC 6066, section 3), protocols (RFC 7301), and whether there is a
 * version that both could speak.
 */
import { ByteReader } from "./byte-reader.ts";
import { type ClientHello, extensionOf, u16List } from "./client-hello.ts";

export const extensionTypes = {
  serverName: 0,
  supportedGroups: 10,
  pointFormats: 11,
  signatureAlgorithms: 13,
  alpn: 16,
  supportedVersions: 43,
} as const;

/** Bytes; BoringSSL's bound, and that of a name in DNS. */
const nameBytesMax = 255;
const tls10 = 0x0301;
const tls13 = 0x0304;

/** Empty: none is named. Undefined: what is named is no name, and a server would refuse the handshake. */
export function serverNameOf(hello: ClientHello): string | undefined {
  const content = extensionOf(hello, extensionTypes.serverName);
  if (!content) return "";
  const outer = new ByteReader(content);
  const list = new ByteReader(outer.prefixed16());
  const type = list.u8();
  const name = list.prefixed16();
  if (outer.isBroken || list.isBroken || outer.rest + list.rest > 0) return undefined;
  const isName = type === 0 && name.length > 0 && name.length <= nameBytesMax && !name.includes(0);
  return isName ? Buffer.from(name).toString("latin1") : undefined;
}

/** Undefined: there is no such extension, or it is broken, which is for the real TLS to say. */
export function alpnOf(hello: ClientHello): readonly string[] | undefined {
  const content = extensionOf(hello, extensionTypes.alpn);
  if (!content) return undefined;
  const outer = new ByteReader(content);
  const list = new ByteReader(outer.prefixed16());
  if (outer.isBroken || outer.rest > 0 || list.rest < 2) return undefined;
  const protocols: string[] = [];
  while (list.rest > 0) {
    const name = list.prefixed8();
    if (list.isBroken || name.length === 0) return undefined;
    protocols.push(Buffer.from(name).toString("latin1"));
  }
  return protocols;
}

/** TLS 1.0 to 1.3. */
export function hasKnownVersion(hello: ClientHello): boolean {
  const content = extensionOf(hello, extensionTypes.supportedVersions);
  if (!content) return hello.version >= tls10;
  const reader = new ByteReader(content);
  const versions = u16List(reader.prefixed8());
  return !reader.isBroken && versions.some((version) => version >= tls10 && version <= tls13);
}
