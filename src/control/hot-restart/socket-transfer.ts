/**
 * Where a process gets listening sockets that it need not open: from the one before, by Envoy's epochs or by a directory, or
 * from the service manager.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";

export interface SocketSource {
  /** Whoever has them, too: for as long as it would feel what is done to them. */
  readonly parent: SocketHolder;
  /**
   * Descriptors for one worker, the caller's from now on; with the last worker, those of workers that only the other
   * process has. None: it has no such socket.
   */
  takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
    listener: string,
  ): Promise<readonly number[]>;
}

export interface SocketTransfer extends SocketSource {
  /** Another process has what this one would open. */
  readonly hasParent: boolean;
  /** Resolves when it has ended before it was taken over from. */
  whenAlone(): Promise<void>;
}
