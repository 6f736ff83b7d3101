/**
 * IP addresses between text and network-order bytes. Text out is canonical (RFC 5952), so that two
 * spellings of one address compare equal. Zone identifiers are not supported.
 */
import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 bytes, or undefined for what is no IP address. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return parseIpv4(text);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return parseIpv6(text);
}

export function formatIp(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : formatIpv6(bytes);
}

const dot = ".".charCodeAt(0);
const zero = "0".charCodeAt(0);

/** `text` is known to be valid. Every listener's address passes here: no strings are made of its parts. */
function parseIpv4(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  let index = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === dot) index++;
    else bytes[index] = (bytes[index] ?? 0) * 10 + code - zero;
  }
  return bytes;
}

/** `text` is known to be valid. */
function parseIpv6(text: string): Uint8Array {
  const [left = "", right] = text.split("::");
  const head = groupBytes(left);
  const tail = right === undefined ? [] : groupBytes(right);
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function groupBytes(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

/** Of 16 bytes: an IPv4 address as IPv6 sockets see it, `::ffff:192.0.2.1` (RFC 4291 section 2.5.5.2). */
export function isMappedIp(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 255 || bytes[11] !== 255) return false;
  return bytes.subarray(0, 10).every((byte) => byte === 0);
}

/** The IPv4 address that a mapped one stands for; any other text as it is. */
export function unmappedIp(ip: string): string {
  return ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice(7) : ip;
}

function formatIpv6(bytes: Uint8Array): string {
  // RFC 5952 section 5: an IPv4-mapped address keeps its dotted form.
  if (isMappedIp(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0),
  );
  const gap = longestZeroRun(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  // Section 4.2.2: a single zero group is not shortened.
  if (gap.length < 2) return text(0, 8);
  return `${text(0, gap.start)}::${text(gap.start + gap.length, 8)}`;
}

/** The first of the longest runs of zero groups (section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
