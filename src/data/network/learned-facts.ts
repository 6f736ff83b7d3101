/**
 * What listener filters learn of a connection, for whoever looks at it afterwards: the match, the filters, the logs. What
 * they do not learn is the socket's own.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { ConnectSource } from "../../shared/io/reactor.ts";
import type { ConnectionFacts } from "./filter-chain-match.ts";

/** Of a socket, whether it is held or adopted. */
export interface OwnAddresses {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
}

const noProtocols: readonly string[] = [];

export class LearnedFacts implements ConnectionFacts {
  #own: OwnAddresses;
  #localAddress: SocketAddress | undefined;
  #remoteAddress: SocketAddress | undefined;
  serverName = "";
  /** Empty until a filter says it. */
  detectedTransport = "";
  applicationProtocols = noProtocols;
  upstreamSource: ConnectSource | undefined = undefined;
  ja3: string | undefined = undefined;
  ja4: string | undefined = undefined;

  constructor(own: OwnAddresses) {
    this.#own = own;
  }

  /** Envoy: `ActiveTcpSocket::newConnection`. */
  get transportProtocol(): string {
    return this.detectedTransport === "" ? "raw_buffer" : this.detectedTransport;
  }

  get localAddress(): SocketAddress {
    return this.#localAddress ?? this.#own.localAddress;
  }

  get remoteAddress(): SocketAddress {
    return this.#remoteAddress ?? this.#own.remoteAddress;
  }

  get directRemoteAddress(): SocketAddress {
    return this.#own.remoteAddress;
  }

  get originalDestination(): SocketAddress | undefined {
    return this.#localAddress;
  }

  restoreLocalAddress(address: SocketAddress): void {
    this.#localAddress = address;
  }

  setRemoteAddress(address: SocketAddress): void {
    this.#remoteAddress = address;
  }

  /** The connection has another socket now: it was held, and is adopted. */
  moveTo(own: OwnAddresses): void {
    this.#own = own;
  }
}
