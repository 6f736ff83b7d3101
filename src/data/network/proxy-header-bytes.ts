/**
 * Writes the header of the PROXY protocol, version 1 or 2 (haproxy.org/download/2.1/doc/proxy-protocol.txt): whose bytes
 * follow, and where they were going. What reads it is in `listener-filters/`.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import { parseIp } from "../../shared/common/ip-address.ts";
import type { ProxyProtocolVersion } from "../../shared/config/route-config.ts";

export const proxySignatures = {
  v1: Buffer.from("PROXY"),
  v2: Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
} as const;

/** The version, and that it speaks for somebody, or for itself alone. */
const versionAndCommand = { proxy: 0x21, local: 0x20 } as const;
const portBytes = 2;

/** Between addresses that are none of IP, or not of one family, it says that nothing is known. */
export function proxyHeaderBytes(
  version: ProxyProtocolVersion,
  source: SocketAddress,
  destination: SocketAddress,
): Uint8Array {
  return version === "v1" ? version1(source, destination) : version2(source, destination);
}

function version1(source: SocketAddress, destination: SocketAddress): Uint8Array {
  const family = familyOf(source, destination);
  if (family === undefined) return Buffer.from("PROXY UNKNOWN\r\n");
  const { from, to, name } = family;
  return Buffer.from(`PROXY ${name} ${from.ip} ${to.ip} ${from.port} ${to.port}\r\n`);
}

function version2(source: SocketAddress, destination: SocketAddress): Uint8Array {
  const family = familyOf(source, destination);
  if (family === undefined)
    return Buffer.concat([proxySignatures.v2, Buffer.from([versionAndCommand.local, 0, 0, 0])]);
  const { from, to, code } = family;
  const ports = Buffer.alloc(2 * portBytes);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, portBytes);
  const length = from.bytes.length + to.bytes.length + ports.length;
  const fixed = Buffer.from([versionAndCommand.proxy, code, length >> 8, length & 0xff]);
  return Buffer.concat([proxySignatures.v2, fixed, from.bytes, to.bytes, ports]);
}

interface Endpoint {
  readonly ip: string;
  readonly port: number;
  readonly bytes: Uint8Array;
}

interface Family {
  /** As version 1 says it. */
  readonly name: "TCP4" | "TCP6";
  /** As version 2 does, with TCP. */
  readonly code: number;
  readonly from: Endpoint;
  readonly to: Endpoint;
}

function familyOf(source: SocketAddress, destination: SocketAddress): Family | undefined {
  const from = endpointOf(source);
  const to = endpointOf(destination);
  if (from === undefined || from.bytes.length !== to?.bytes.length) return undefined;
  const isIpv4 = from.bytes.length === 4;
  return { name: isIpv4 ? "TCP4" : "TCP6", code: isIpv4 ? 0x11 : 0x21, from, to };
}

function endpointOf(address: SocketAddress): Endpoint | undefined {
  if (address.kind !== "ip") return undefined;
  const bytes = parseIp(address.ip);
  return bytes && { ip: address.ip, port: address.port, bytes };
}
