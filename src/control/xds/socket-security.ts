/** What makes a secure socket of a connected one; made where certificates are known, which is not here. */
import type { Socket } from "node:net";

/** The protocol that is to be spoken inside. */
export type InnerProtocol = "h2" | "http/1.1";

export interface SocketSecurity {
  /** Resolves when it has what it needs; never rejects. */
  ready(): Promise<void>;
  /**
   * Rejects with an error that says in words why not; the socket is destroyed then. `protocol` undefined: whatever
   * the configuration offers.
   */
  secure(socket: Socket, protocol: InnerProtocol | undefined): Promise<Socket>;
}
