/**
 * Reads the header of the PROXY protocol, version 1 or 2 (haproxy.org/download/1.8/doc/proxy-protocol.txt), out of the
 * first bytes of a connection.
 *
 * What a newcomer would get wrong: it waits as Envoy does. Fewer bytes than a header of version 2 begins with decide
 * nothing unless a line ends in them.
 */
import { formatIp, parseIp } from "../../shared/common/ip-address.ts";
import type { SocketAddress } from "../../shared/common/address.ts";
import { proxySignatures } from "../network/proxy-header-bytes.ts";
import { ByteReader } from "./byte-reader.ts";

export type ProxyVersion = "v1" | "v2";

export type ProxyHeaderResult =
  /** So many bytes at least have to be looked at. */
  | { readonly kind: "incomplete"; readonly wanted: number }
  /** It begins as neither version does, or no line of version 1 ends where it must. */
  | { readonly kind: "absent" }
  | { readonly kind: "broken"; readonly version: ProxyVersion }
  | ProxyHeader;

export interface ProxyHeader {
  readonly kind: "header";
  readonly version: ProxyVersion;
  /** Bytes that it takes, to the first of what follows. */
  readonly length: number;
  /** Undefined: those of the socket hold (`UNKNOWN`, `LOCAL`). */
  readonly addresses: ProxiedAddresses | undefined;
}

export interface ProxiedAddresses {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** Of version 2, before its addresses. */
export const fixedBytes = 16;
/** The longest line of version 1, as Envoy counts it. */
const lineBytesMax = 108;
const lineEnd = Buffer.from("\r\n");

/** True as long as the bytes may turn out to begin a header of the version. */
export function mayBegin(bytes: Uint8Array, version: ProxyVersion): boolean {
  const signature = proxySignatures[version];
  const length = Math.min(bytes.length, signature.length);
  return signature.subarray(0, length).equals(bytes.subarray(0, length));
}

export function readProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (bytes.length >= fixedBytes) {
    if (mayBegin(bytes, "v2")) return readVersion2(bytes);
    if (!mayBegin(bytes, "v1")) return { kind: "absent" };
  }
  return readVersion1(bytes);
}

function readVersion1(bytes: Uint8Array): ProxyHeaderResult {
  const seen = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = seen.indexOf(lineEnd);
  // A signature of version 2 begins so.
  if (end === 0 && bytes.length < fixedBytes) return { kind: "incomplete", wanted: fixedBytes };
  if (end < 0 && bytes.length > lineBytesMax) return { kind: "absent" };
  if (end < 0) return { kind: "incomplete", wanted: lineBytesMax + 1 };
  const length = end + lineEnd.length;
  if (length > lineBytesMax) return { kind: "broken", version: "v1" };
  return readLine(seen.toString("latin1", 0, end), length);
}

function readLine(line: string, length: number): ProxyHeaderResult {
  const [word, family, ...rest] = line.trimEnd().split(" ");
  if (word !== "PROXY" || family === undefined) return { kind: "broken", version: "v1" };
  if (family === "UNKNOWN") return { kind: "header", version: "v1", length, addresses: undefined };
  const bytesOfFamily = { TCP4: 4, TCP6: 16 }[family];
  const [source = "", destination = "", sourcePort = "", destinationPort = ""] = rest;
  const from = endpointOf(source, sourcePort, bytesOfFamily);
  const to = endpointOf(destination, destinationPort, bytesOfFamily);
  if (rest.length !== 4 || !from || !to) return { kind: "broken", version: "v1" };
  return { kind: "header", version: "v1", length, addresses: { source: from, destination: to } };
}

function endpointOf(
  text: string,
  portText: string,
  bytesOfFamily: number | undefined,
): SocketAddress | undefined {
  const ip = parseIp(text);
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!ip || ip.length !== bytesOfFamily || !(port <= 65_535) || !isUnicast(ip)) return undefined;
  return { kind: "ip", ip: formatIp(ip), port };
}

const command = { local: 0, proxy: 1 } as const;
const transports = { stream: 1, datagram: 2 } as const;

function readVersion2(bytes: Uint8Array): ProxyHeaderResult {
  const reader = new ByteReader(bytes);
  reader.skip(proxySignatures.v2.length);
  const versionAndCommand = reader.u8();
  const familyAndTransport = reader.u8();
  const length = fixedBytes + reader.u16();
  const broken = { kind: "broken", version: "v2" } as const;
  if (versionAndCommand >> 4 !== 2) return broken;
  const isLocal = (versionAndCommand & 15) === command.local;
  const ipBytes = isLocal ? 0 : { 1: 4, 2: 16 }[familyAndTransport >> 4];
  if (ipBytes === undefined) return broken;
  const addressBytes = isLocal ? 0 : 2 * ipBytes + 4;
  if (length < fixedBytes + addressBytes) return broken;
  if (bytes.length < fixedBytes + addressBytes) return { kind: "incomplete", wanted: length };
  const transport = familyAndTransport & 15;
  const isKnown = transport === transports.stream || transport === transports.datagram;
  if (!isLocal && ((versionAndCommand & 15) !== command.proxy || !isKnown)) return broken;
  if (bytes.length < length) return { kind: "incomplete", wanted: length };
  if (isLocal) return { kind: "header", version: "v2", length, addresses: undefined };
  const addresses = readAddresses(reader, ipBytes);
  const extensions = bytes.subarray(fixedBytes + addressBytes, length);
  if (!addresses || !areExtensionsWhole(extensions)) return broken;
  return { kind: "header", version: "v2", length, addresses };
}

function readAddresses(reader: ByteReader, ipBytes: number): ProxiedAddresses | undefined {
  const source = reader.take(ipBytes);
  const destination = reader.take(ipBytes);
  const sourcePort = reader.u16();
  const destinationPort = reader.u16();
  if (!isUnicast(source) || !isUnicast(destination)) return undefined;
  return {
    source: { kind: "ip", ip: formatIp(source), port: sourcePort },
    destination: { kind: "ip", ip: formatIp(destination), port: destinationPort },
  };
}

/** Type, length, value, one after the other (section 2.2.1). Nothing here reads the values. */
function areExtensionsWhole(bytes: Uint8Array): boolean {
  const reader = new ByteReader(bytes);
  while (reader.rest > 0 && !reader.isBroken) {
    reader.skip(1);
    reader.prefixed16();
  }
  return !reader.isBroken;
}

/** Neither any address, nor a group's, nor everybody's. */
function isUnicast(ip: Uint8Array): boolean {
  if (ip.every((byte) => byte === 0)) return false;
  const [first = 0] = ip;
  if (ip.length === 16) return first !== 0xff;
  return first >> 4 !== 14 && !ip.every((byte) => byte === 255);
}
