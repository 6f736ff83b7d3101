/**
 * Plaintext credentials that tell of each socket that is about to carry HTTP/2.
 *
 * What one would get wrong: closing a grpc-js client while the handshake is under way leaves its socket
 * open for ever (1.14: `Subchannel` never shuts its connector down). Against a server that accepts and says
 * nothing, each attempt would cost a descriptor, so whoever gives up has to destroy the socket.
 */
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { Socket } from "node:net";

export function watchedCredentials(onSocket: (socket: Socket) => void): ChannelCredentials {
  const plaintext = credentials.createInsecure();
  const watched = Object.create(plaintext) as ChannelCredentials;
  watched._createSecureConnector = (...args) => {
    const connector = plaintext._createSecureConnector(...args);
    const connect = connector.connect.bind(connector);
    connector.connect = (socket) => {
      onSocket(socket);
      return connect(socket);
    };
    return connector;
  };
  return watched;
}

/** The sockets of one channel that was not ready yet when it was given up. */
export class HandshakeSockets {
  #sockets: Socket[] = [];
  #isGivenUp = false;

  add(socket: Socket): void {
    // A closed channel may try once more before it notices.
    if (this.#isGivenUp) socket.destroy();
    else this.#sockets.push(socket);
  }

  giveUp(): void {
    this.#isGivenUp = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets = [];
  }
}
