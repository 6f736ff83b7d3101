/** Addresses and address ranges of `envoy.config.core.v3`. */
import { isIP, isIPv6 } from "node:net";
import type {
  Address,
  CidrRange,
  SocketAddress as ProtoSocketAddress,
} from "../../../gen/es/envoy/config/core/v3/address_pb.d.ts";
import type { SocketAddress } from "../../shared/common/address.ts";
import { formatIp, parseIp } from "../../shared/common/ip-address.ts";
import type { CidrRange as CidrRangeConfig } from "../../shared/config/cidr-range.ts";
import type { DecodeContext } from "./decode-context.ts";

/** What stands for an address that was refused; nothing ever sees it. */
const nowhere: SocketAddress = { kind: "ip", ip: "0.0.0.0", port: 0 };

/** `SocketAddress.Protocol.UDP`. */
const udp = 1;

/** An address to bind to, or of a host: an IP, never a name. */
export function decodeAddress(address: Address | undefined, context: DecodeContext): SocketAddress {
  return decode(address, context, (text) => {
    if (isIP(text) === 0) context.refuse(`malformed IP address: ${text}`);
  });
}

/** Where connections are to come from. */
export function decodeSourceAddress(
  message: ProtoSocketAddress,
  context: DecodeContext,
): SocketAddress {
  return decodeSocketAddress(message, context, (text) => {
    if (isIP(text) === 0) context.refuse(`malformed IP address: ${text}`);
  });
}

/** An address of an endpoint, where names are allowed for the clusters that resolve them. */
export function decodeEndpointAddress(
  address: Address | undefined,
  context: DecodeContext,
  { isResolved }: { readonly isResolved: boolean },
): SocketAddress {
  return decode(address, context, (text) => {
    if (isIP(text) !== 0 || isResolved) return;
    const advice =
      "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";
    context.refuse(`malformed IP address: ${text}. ${advice}`);
  });
}

function decode(
  message: Address | undefined,
  context: DecodeContext,
  judge: (ip: string) => void,
): SocketAddress {
  const address = message?.address;
  switch (address?.case) {
    case "pipe":
      return { kind: "pipe", path: address.value.path, mode: address.value.mode };
    case "socketAddress":
      return decodeSocketAddress(address.value, context, judge);
    case "envoyInternalAddress":
    case undefined:
      // Refused by the field policy, by the validation rules, or by who needs an address.
      return nowhere;
    default:
      return address satisfies never;
  }
}

function decodeSocketAddress(
  { address, protocol, portSpecifier }: ProtoSocketAddress,
  context: DecodeContext,
  judge: (ip: string) => void,
): SocketAddress {
  judge(address);
  if (Number(protocol) === udp) context.refuse(`UDP addresses are not supported: ${address}`);
  const port = portSpecifier.case === "portValue" ? portSpecifier.value : 0;
  return { kind: "ip", ip: canonicalIp(address), port };
}

/** The one text of an IP address: IPv6 in lower case and shortened. */
export function canonicalIp(ip: string): string {
  if (!isIPv6(ip) || ip.includes("%")) return ip;
  return new URL(`http://[${ip}]`).hostname.slice(1, -1);
}

/**
 * The network that the prefix names, without the bits of a host in it: equal networks are equal ranges. A length
 * beyond the address's own counts as that; it defaults to 0, which matches all (as in Envoy).
 */
export function decodeCidrRange(
  range: Pick<CidrRange, "addressPrefix" | "prefixLen">,
  context: DecodeContext,
): CidrRangeConfig {
  const { addressPrefix, prefixLen = 0 } = range;
  const address = parseIp(addressPrefix);
  if (!address) {
    context.refuse(`malformed IP address: ${addressPrefix}`);
    return { ip: addressPrefix, prefixLength: 0 };
  }
  const prefixLength = Math.min(prefixLen, address.length * 8);
  return { ip: formatIp(networkOf(address, prefixLength)), prefixLength };
}

function networkOf(address: Uint8Array, prefixLength: number): Uint8Array {
  return address.map((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefixLength - index * 8));
    return byte & (0xff00 >> kept);
  });
}
