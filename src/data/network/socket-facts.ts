/** The facts of a plain socket. Addresses are read when a criterion asks: most listeners never ask. */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Socket } from "../../shared/io/reactor.ts";
import type { ConnectionFacts } from "./filter-chain-match.ts";

const noProtocols: readonly string[] = [];

export class SocketFacts implements ConnectionFacts {
  readonly #socket: Socket;
  readonly originalDestination = undefined;
  readonly upstreamSource = undefined;
  readonly serverName = "";
  /** Envoy: `ActiveTcpSocket` sets it where no listener filter did. */
  readonly transportProtocol = "raw_buffer";
  readonly applicationProtocols = noProtocols;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get localAddress(): SocketAddress {
    return this.#socket.localAddress;
  }

  get remoteAddress(): SocketAddress {
    return this.#socket.remoteAddress;
  }

  get directRemoteAddress(): SocketAddress {
    return this.#socket.remoteAddress;
  }
}
