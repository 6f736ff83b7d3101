import assert from "node:assert/strict";
import type { BindResult, BindSocket } from "../../src/control/listener/listener-sockets.ts";
import type { SocketHolder } from "../../src/shared/io/listen-sockets.ts";
import { type SocketAddress, formatAddress } from "../../src/shared/common/address.ts";

/** A kernel's table of bound addresses: refuses what is in use, and what a test says. */
export class FakeSockets {
  readonly open = new Map<
    number,
    {
      readonly address: string;
      isListening: boolean;
      isDisowned: boolean;
      readonly holders: SocketHolder[];
    }
  >();
  /** Addresses that cannot be bound, and those that can but cannot listen. */
  readonly unbindable = new Set<string>();
  readonly deaf = new Set<string>();
  #nextHandle = 100;
  #nextPort = 40_000;

  readonly bind: BindSocket = async (wanted, options): Promise<BindResult> => {
    await Promise.resolve();
    const address = this.#chosen(wanted);
    const text = formatAddress(address);
    const inUse = [...this.open.values()].some((socket) => socket.address === text);
    if (this.unbindable.has(text) || (inUse && !options.reusePort)) {
      return { ok: false, error: `cannot bind '${text}': Address already in use` };
    }
    const handle = this.#nextHandle++;
    const socket = {
      address: text,
      isListening: false,
      isDisowned: false,
      holders: new Array<SocketHolder>(),
    };
    this.open.set(handle, socket);
    return {
      ok: true,
      socket: {
        ref: { handle, localAddress: address },
        startListening: () => {
          if (this.deaf.has(text)) return `cannot listen on '${text}': Address already in use`;
          assert(!socket.isListening, `${text} listens already`);
          socket.isListening = true;
          return undefined;
        },
        disown: () => (socket.isDisowned = !socket.holders.some(({ isThere }) => isThere)),
        shareWith: (holder) => void socket.holders.push(holder),
        isHeldBy: (holder) => socket.holders.includes(holder),
        listenAgain: () => assert(socket.isListening),
        close: () => {
          if (!socket.isDisowned) assert(this.open.delete(handle), `${text} is closed twice`);
        },
      },
    };
  };

  /** A worker closes what it was left. */
  closeDisowned(handle: number): void {
    assert(this.open.get(handle)?.isDisowned, `socket ${handle} is not a worker's to close`);
    this.open.delete(handle);
  }

  get listening(): readonly string[] {
    return [...this.open.values()].flatMap((socket) => (socket.isListening ? socket.address : []));
  }

  #chosen(address: SocketAddress): SocketAddress {
    if (address.kind !== "ip" || address.port !== 0) return address;
    return { ...address, port: this.#nextPort++ };
  }
}
