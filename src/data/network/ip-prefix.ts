/**
 * IP addresses as numbers, to match prefixes. A v4-mapped IPv6 address is its IPv4 address: a dual-stack
 * socket reports IPv4 peers so, and Envoy treats them as IPv4.
 */
export interface IpNumber {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** Undefined where `text` is no address (a pipe's path, say). Zone ids are not looked at. */
export function parseIp(text: string): IpNumber | undefined {
  if (!text.includes(":")) return parseIpv4(text);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return mapped === undefined ? parseIpv6(text) : parseIpv4(mapped);
}

/** Identifies the prefix of `length` bits that `address` lies in; equal for equal prefixes. */
export function prefixKey(address: IpNumber, length: number): string {
  const width = address.family === 4 ? 32 : 128;
  const kept = Math.max(0, Math.min(length, width));
  return `${address.family}/${kept}/${(address.bits >> BigInt(width - kept)).toString(36)}`;
}

/** 127.0.0.1 and ::1, and no other (Envoy: `Utility::isLoopbackAddress`). */
export function isLoopback(address: IpNumber): boolean {
  return address.bits === (address.family === 4 ? 0x7f000001n : 1n);
}

function parseIpv4(text: string): IpNumber | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let bits = 0n;
  for (const part of parts) {
    const value = Number(part);
    if (!/^\d{1,3}$/.test(part) || value > 255) return undefined;
    bits = (bits << 8n) | BigInt(value);
  }
  return { family: 4, bits };
}

function parseIpv6(text: string): IpNumber | undefined {
  const [address = ""] = text.split("%");
  const halves = withoutDotted(address).split("::");
  const head = groupsOf(halves[0] ?? "");
  const tail = groupsOf(halves[1] ?? "");
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || missing < 0 || (halves.length === 1 && missing > 0)) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  let bits = 0n;
  for (const group of groups) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return { family: 6, bits };
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

/** `64:ff9b::192.0.2.1` as eight groups of hex (RFC 4291, 2.2.3). */
function withoutDotted(text: string): string {
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  const low = dotted === undefined ? undefined : parseIpv4(dotted);
  if (dotted === undefined || !low) return text;
  const hex = [low.bits >> 16n, low.bits & 0xffffn].map((group) => group.toString(16)).join(":");
  return text.slice(0, -dotted.length) + hex;
}
