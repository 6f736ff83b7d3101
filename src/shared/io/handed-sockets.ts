/**
 * Sockets that a service manager has opened and handed over. They stay its own, too: it has the same ones for the next
 * process, so nothing may be done to them that it would feel, but for O_NONBLOCK, without which an accept would wait.
 */
import type { SocketAddress } from "../common/address.ts";
import { firstHandedDescriptor } from "../common/handed-descriptors.ts";
import { localAddressOf } from "./socket-address.ts";
import { fcntl, linux } from "./syscalls.ts";
import { SystemArea } from "./system-area.ts";

export interface HandedSocket {
  readonly descriptor: number;
  /** Undefined: it is no listening stream socket. */
  readonly address: SocketAddress | undefined;
}

/** All of them, in their order. No other program that is run from here gets them. */
export function handedSockets(count: number): readonly HandedSocket[] {
  const area = new SystemArea();
  return Array.from({ length: count }, (_, index) => {
    const descriptor = firstHandedDescriptor + index;
    fcntl(descriptor, linux.F_SETFD, linux.FD_CLOEXEC);
    if (!isListening(area, descriptor)) return { descriptor, address: undefined };
    fcntl(descriptor, linux.F_SETFL, fcntl(descriptor, linux.F_GETFL, 0) | linux.O_NONBLOCK);
    return { descriptor, address: localAddressOf(area, descriptor) };
  });
}

function isListening(area: SystemArea, descriptor: number): boolean {
  const optionOf = (name: number): number | undefined =>
    area.getOption(descriptor, linux.SOL_SOCKET, name);
  return optionOf(linux.SO_TYPE) === linux.SOCK_STREAM && optionOf(linux.SO_ACCEPTCONN) === 1;
}
