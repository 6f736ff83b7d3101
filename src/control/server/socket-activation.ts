/**
 * Sockets that a service manager has opened for this process (systemd.socket(5), `LISTEN_FDS`): listeners and the admin take
 * them by their address, or a listener by its name (`FileDescriptorName=`), as `ListenStream=80` is at `[::]:80` alone.
 *
 * What a newcomer would get wrong: the service manager listens on, also when nobody here does any more. So each is kept for
 * as long as the process lives, and whoever asks gets a descriptor of it: a listener that comes again could not bind.
 */
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import { descriptorNames } from "../../shared/common/handed-descriptors.ts";
import type { Logger } from "../../shared/common/log.ts";
import { type SocketHolder, holderWhile } from "../../shared/io/listen-sockets.ts";
import type { SocketSource } from "../hot-restart/socket-transfer.ts";

export interface ActivatedSocket {
  readonly descriptor: number;
  /** Undefined: it is no listening stream socket. */
  readonly address: SocketAddress | undefined;
}

export interface SocketActivationParts {
  readonly sockets: readonly ActivatedSocket[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** Another descriptor of the same socket; undefined where there is no room for one. */
  readonly duplicate: (descriptor: number) => number | undefined;
  readonly close: (descriptor: number) => void;
}

interface Held {
  readonly descriptor: number;
  readonly address: SocketAddress;
  readonly name: string;
  isWanted: boolean;
}

export class SocketActivation implements SocketSource {
  readonly parent: SocketHolder = holderWhile(() => true);
  readonly #parts: SocketActivationParts;
  #held: readonly Held[];

  constructor(parts: SocketActivationParts) {
    const { sockets, env, log, close } = parts;
    const names = descriptorNames(env, sockets.length);
    this.#parts = parts;
    this.#held = sockets.flatMap(({ descriptor, address }, index) => {
      const name = names[index] ?? "";
      if (address) return [{ descriptor, address, name, isWanted: false }];
      log.warning(
        `LISTEN_FDS: descriptor ${descriptor} '${name}' is no listening TCP or Unix socket: closed`,
      );
      close(descriptor);
      return [];
    });
  }

  takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
    listener: string,
  ): Promise<readonly number[]> {
    const at = this.#at(address);
    const all = at.length > 0 ? at : this.#held.filter(({ name }) => name === listener);
    for (const held of all) held.isWanted = true;
    // One for all workers; or to each its own, and to the last those that are left.
    const own = all.length > 1 ? all.slice(worker, isLast ? undefined : worker + 1) : all;
    return Promise.resolve(
      own.flatMap(({ descriptor }) => this.#parts.duplicate(descriptor) ?? []),
    );
  }

  /** Of the admin; the caller's from now on. */
  takeAdminSocket(address: SocketAddress): number | undefined {
    const [held] = this.#at(address);
    if (!held) return undefined;
    held.isWanted = true;
    return this.#parts.duplicate(held.descriptor);
  }

  /** All that listens from the start on does: what nobody has asked for is closed. */
  closeUnwanted(): void {
    const { log, close } = this.#parts;
    for (const { descriptor, address, name, isWanted } of this.#held) {
      if (isWanted) continue;
      log.warning(
        `LISTEN_FDS: no listener is at '${formatAddress(address)}', or is named '${name}': descriptor ${descriptor} is closed`,
      );
      close(descriptor);
    }
    this.#held = this.#held.filter(({ isWanted }) => isWanted);
  }

  #at(address: SocketAddress): readonly Held[] {
    const wanted = formatAddress(address);
    return this.#held.filter((held) => formatAddress(held.address) === wanted);
  }
}
