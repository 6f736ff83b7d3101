/** What both choreographies, Envoy's epochs and the hand-over by a directory, give to a new process: listening sockets. */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";

export interface SocketTransfer {
  /** Another process has what this one would open. */
  readonly hasParent: boolean;
  /** That process, for as long as it serves. */
  readonly parent: SocketHolder;
  /** Resolves when it has ended before it was taken over from. */
  whenAlone(): Promise<void>;
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
