/** An address as `envoy.config.core.v3.Address` in JSON. */
import type { SocketAddress } from "../../shared/common/address.ts";

export function addressJson(address: SocketAddress): Readonly<Record<string, unknown>> {
  return address.kind === "ip"
    ? { socket_address: { address: address.ip, port_value: address.port } }
    : { pipe: { path: address.path } };
}
