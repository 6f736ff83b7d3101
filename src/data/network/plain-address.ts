/** A v4 address that a dual-stack socket shows as `::ffff:a.b.c.d`, as v4: so it is compared and found. */
import type { SocketAddress } from "../../shared/common/address.ts";

const mapped = "::ffff:";

export function plainAddress(address: SocketAddress): SocketAddress {
  if (address.kind !== "ip" || !address.ip.startsWith(mapped) || !address.ip.includes("."))
    return address;
  return { ...address, ip: address.ip.slice(mapped.length) };
}
