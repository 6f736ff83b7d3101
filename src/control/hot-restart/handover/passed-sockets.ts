/** Listening sockets that came from another process, until listeners take them: by role and address, one for each of its workers. */
import type { SocketAddress } from "../../../shared/common/address.ts";
import { formatIp, parseIp } from "../../../shared/common/ip-address.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { duplicate } from "../../../shared/io/descriptor-stream.ts";
import { addressText } from "../socket-names.ts";
import type { PassedSocket } from "./messages.ts";

export class PassedSockets implements Disposable {
  readonly #sockets = new Map<string, number[]>();

  /** The descriptor is this one's. */
  add({ role, address }: Pick<PassedSocket, "role" | "address">, descriptor: number): void {
    const key = `${role} ${address}`;
    const known = this.#sockets.get(key);
    if (known) known.push(descriptor);
    else this.#sockets.set(key, [descriptor]);
  }

  /** The caller's; with the last worker all that are left. */
  take(
    role: PassedSocket["role"],
    address: SocketAddress,
    { worker, isLast }: { readonly worker: number; readonly isLast: boolean },
  ): readonly number[] {
    const key = `${role} ${addressText(asWritten(address))}`;
    const all = this.#sockets.get(key) ?? [];
    const [first] = all;
    if (first === undefined) return [];
    if (isLast) {
      this.#sockets.delete(key);
      return all;
    }
    // The first in line; where there is one for all workers, each has a descriptor of it.
    if (all.length > 1) return [all.shift() ?? first];
    const copy = duplicate(first);
    return copy === undefined || worker < 0 ? [] : [copy];
  }

  /** Those that nobody has taken. */
  [Symbol.dispose](): void {
    for (const descriptors of this.#sockets.values()) closeDescriptors(descriptors);
    this.#sockets.clear();
  }
}

/** As the other process writes it, who says where each socket is bound. */
function asWritten(address: SocketAddress): SocketAddress {
  const ip = address.kind === "ip" ? parseIp(address.ip) : undefined;
  return ip && address.kind === "ip" ? { ...address, ip: formatIp(ip) } : address;
}
