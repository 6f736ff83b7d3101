/** An address as a header names it: `192.0.2.1:80`, `[2001:db8::1]:80`. */
import { isIPv4, isIPv6 } from "node:net";
import type { SocketAddress } from "../../shared/common/address.ts";
import { formatIp, parseIp } from "../../shared/common/ip-address.ts";

/** Undefined for all else: names, addresses without a port (Envoy: `parseInternetAddressAndPortNoThrow`). */
export function parseAddressAndPort(text: string): SocketAddress | undefined {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const [, inBrackets, plain = "", digits] = parts ?? [];
  const port = Number(digits);
  const isAddress = inBrackets === undefined ? isIPv4(plain) : isIPv6(inBrackets);
  const bytes = isAddress ? parseIp(inBrackets ?? plain) : undefined;
  if (!parts || !bytes || port > 65_535) return undefined;
  return { kind: "ip", ip: formatIp(bytes), port };
}
