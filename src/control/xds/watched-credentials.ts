/**
 * Credentials of a channel, in plain text or secured, that tell of each socket that is about to carry HTTP/2.
 *
 * What one would get wrong: closing a grpc-js client while the handshake is under way leaves its socket
 * open for ever (1.14: `Subchannel` never shuts its connector down). Against a server that accepts and says
 * nothing, each attempt would cost a descriptor, so whoever gives up has to destroy the socket.
 */
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import type { SocketSecurity } from "./socket-security.ts";

/** Without `security` in plain text. */
export function watchedCredentials(
  sockets: HandshakeSockets,
  security: SocketSecurity | undefined,
): ChannelCredentials {
  const plaintext = credentials.createInsecure();
  const watched = Object.create(plaintext) as ChannelCredentials;
  watched._isSecure = () => security !== undefined;
  watched._createSecureConnector = (...args) => ({
    ...plaintext._createSecureConnector(...args),
    waitForReady: () => sockets.unlessGivenUp(security?.ready()),
    connect: async (socket) => {
      sockets.add(socket);
      const secured = security ? await security.secure(socket, "h2") : socket;
      return { socket: secured, secure: security !== undefined };
    },
  });
  return watched;
}

/** The sockets of one channel that was not ready yet when it was given up. */
export class HandshakeSockets {
  #sockets: Socket[] = [];
  readonly #givenUp = Promise.withResolvers<void>();
  #isGivenUp = false;

  add(socket: Socket): void {
    // A closed channel may try once more before it notices.
    if (this.#isGivenUp) socket.destroy();
    else this.#sockets.push(socket);
  }

  /** Waits; rejects once there is nobody any more to connect for. */
  async unlessGivenUp(waited: Promise<void> | undefined): Promise<void> {
    if (waited) await Promise.race([waited, this.#givenUp.promise]);
    if (this.#isGivenUp) throw new Error("given up");
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#givenUp.resolve();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets = [];
  }
}
