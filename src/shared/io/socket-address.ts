/**
 * struct sockaddr in the system area's address slot, to and from `SocketAddress`.
 * Abstract Unix names start with a zero byte on the wire and with `@` in text, and have no terminator.
 */
import { type SocketAddress, unnamed } from "../common/address.ts";
import { formatIp, parseIp, unmappedIp } from "../common/ip-address.ts";
import { getpeername, getsockname, getsockopt, linux } from "./syscalls.ts";
import type { SystemArea } from "./system-area.ts";

/** Longest Unix path in bytes: sun_path is 108 and ends with a zero. */
const pathBytesMax = 107;

export function familyOf(address: SocketAddress): number {
  if (address.kind === "pipe") return linux.AF_UNIX;
  return address.ip.includes(":") ? linux.AF_INET6 : linux.AF_INET;
}

/** Writes the address into the slot; its length in bytes, or 0 where it cannot be expressed. */
export function encodeAddress(area: SystemArea, address: SocketAddress): number {
  const slot = area.addressBytes;
  slot.fill(0);
  slot[0] = familyOf(address);
  if (address.kind === "pipe") return encodePath(slot, address.path);
  const ip = parseIp(address.ip);
  if (ip === undefined) return 0;
  slot[2] = address.port >> 8;
  slot[3] = address.port & 255;
  slot.set(ip, ip.length === 4 ? 4 : 8);
  return ip.length === 4 ? 16 : 28;
}

function encodePath(slot: Uint8Array, path: string): number {
  const bytes = Buffer.from(path, "utf8");
  if (bytes.length > pathBytesMax) return 0;
  slot.set(bytes, 2);
  const isAbstract = path.startsWith("@");
  if (isAbstract) slot[2] = 0;
  return 2 + bytes.length + (isAbstract ? 0 : 1);
}

/** Where the socket is bound; an unnamed one is a pipe without path. */
export function localAddressOf(area: SystemArea, fd: number): SocketAddress {
  area.resetAddressLength();
  const failed = getsockname(fd, area.addressAddress, area.addressLengthAddress) !== 0;
  return failed ? unnamed : decodeAddress(area);
}

/** The other end; a pipe without path where there is none (any more). */
export function remoteAddressOf(area: SystemArea, fd: number): SocketAddress {
  area.resetAddressLength();
  const failed = getpeername(fd, area.addressAddress, area.addressLengthAddress) !== 0;
  return failed ? unnamed : decodeAddress(area);
}

/** An IPv4 peer of an IPv6 socket, as what it is. */
export function unmapped(address: SocketAddress): SocketAddress {
  if (address.kind === "pipe" || !address.ip.startsWith("::ffff:")) return address;
  return { ...address, ip: unmappedIp(address.ip) };
}

/**
 * Where the peer wanted to go before the packet filter redirected it; undefined: nothing is known of that. `isIpv6`: of the
 * connection, so false for a v4 peer of a dual-stack socket.
 */
export function originalDestinationOf(
  area: SystemArea,
  fd: number,
  isIpv6: boolean,
): SocketAddress | undefined {
  area.resetAddressLength();
  const level = isIpv6 ? linux.IPPROTO_IPV6 : linux.IPPROTO_IP;
  const { addressAddress: to, addressLengthAddress: length } = area;
  const failed = getsockopt(fd, level, linux.SO_ORIGINAL_DST, to, length) !== 0;
  return failed ? undefined : decodeAddress(area);
}

function decodeAddress(area: SystemArea): SocketAddress {
  const slot = area.addressBytes;
  const port = ((slot[2] ?? 0) << 8) | (slot[3] ?? 0);
  switch (slot[0] ?? 0) {
    case linux.AF_INET:
      return { kind: "ip", ip: formatIp(slot.subarray(4, 8)), port };
    case linux.AF_INET6:
      return { kind: "ip", ip: formatIp(slot.subarray(8, 24)), port };
    default:
      return decodePath(slot.subarray(2, Math.max(2, area.addressLength)));
  }
}

function decodePath(bytes: Uint8Array): SocketAddress {
  if (bytes.length === 0) return unnamed;
  if (bytes[0] === 0) {
    return { kind: "pipe", path: `@${Buffer.from(bytes.subarray(1)).toString("utf8")}`, mode: 0 };
  }
  const end = bytes.indexOf(0);
  const path = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
  return { kind: "pipe", path, mode: 0 };
}
