/** What both choreographies, Envoy's epochs and the hand-over by a directory, give to a new process: listening sockets. */
import type { SocketAddress } from "../../shared/common/address.ts";

export interface SocketTransfer {
  /** Another process has what this one would open. */
  readonly hasParent: boolean;
  /**
   * Descriptors for one worker, the caller's from now on; with the last worker, those of workers that only the other
   * process has. None: it has no such socket.
   */
  takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
  ): Promise<readonly number[]>;
}
