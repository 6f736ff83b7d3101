/** Binds a socket that is about to connect: where it comes from, and how its packets are marked. */
import type { ConnectSource } from "./reactor.ts";
import { encodeAddress, familyOf } from "./socket-address.ts";
import { bind, errno, errnoOf, linux } from "./syscalls.ts";
import type { SystemArea } from "./system-area.ts";

/** The number of the error, or 0. */
export function bindSource(
  area: SystemArea,
  fd: number,
  { address, isForeign, mark }: ConnectSource,
): number {
  const isIpv6 = familyOf(address) === linux.AF_INET6;
  const foreign = isIpv6
    ? ([linux.IPPROTO_IPV6, linux.IPV6_TRANSPARENT] as const)
    : ([linux.IPPROTO_IP, linux.IP_TRANSPARENT] as const);
  const options = [
    [isForeign, ...foreign, 1],
    [mark !== 0, linux.SOL_SOCKET, linux.SO_MARK, mark],
    // The port is found when the other end is known: else 28,000 connections would use all of them up.
    [true, linux.IPPROTO_IP, linux.IP_BIND_ADDRESS_NO_PORT, 1],
  ] as const;
  for (const [isWanted, level, name, value] of options)
    if (isWanted && area.setOption(fd, level, name, value) !== 0) return errno();
  const length = encodeAddress(area, address);
  if (length === 0) return errnoOf.EINVAL;
  return bind(fd, area.addressAddress, length) === 0 ? 0 : errno();
}
