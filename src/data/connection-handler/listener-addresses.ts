/**
 * The listeners of a worker by where they are, for connections that are handed from one to another (Envoy:
 * `ConnectionHandlerImpl::getBalancedHandlerByAddress`). One that has stopped is found no more.
 */
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import { plainAddress } from "../network/plain-address.ts";

export class ListenerAddresses<Listener> {
  readonly #byAddress = new Map<string, Listener>();

  /** In place of an older version at the same address. */
  add(listener: Listener, addresses: readonly SocketAddress[]): void {
    for (const address of addresses) this.#byAddress.set(formatAddress(address), listener);
  }

  delete(listener: Listener, addresses: readonly SocketAddress[]): void {
    for (const address of addresses) {
      const key = formatAddress(address);
      if (this.#byAddress.get(key) === listener) this.#byAddress.delete(key);
    }
  }

  /** At exactly that address, or at every one of its port. */
  find(address: SocketAddress): Listener | undefined {
    const plain = plainAddress(address);
    if (plain.kind !== "ip") return undefined;
    const wildcard = { ...plain, ip: plain.ip.includes(":") ? "::" : "0.0.0.0" };
    return (
      this.#byAddress.get(formatAddress(plain)) ?? this.#byAddress.get(formatAddress(wildcard))
    );
  }
}
