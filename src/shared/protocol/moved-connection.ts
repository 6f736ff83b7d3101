/** A connection that goes on in another process, as it crosses threads: out of the worker that served it, into the one that will. */
import type { SocketAddress } from "../common/address.ts";
import type { Descriptor } from "../io/reactor.ts";

export interface MovedConnection {
  readonly descriptor: Descriptor;
  /** Undefined: HTTP/1, idle, and the descriptor is all there is of it. */
  readonly proxied: ProxiedConnection | undefined;
}

/** What a TCP proxy knows of its connection. Nothing is under way in either direction. */
export interface ProxiedConnection {
  readonly upstream: Descriptor;
  readonly cluster: string;
  readonly host: SocketAddress;
  readonly ageMs: number;
  /** From downstream, and to it; so much went to the upstream, and came from it. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export function descriptorsOf({ descriptor, proxied }: MovedConnection): readonly Descriptor[] {
  return proxied ? [descriptor, proxied.upstream] : [descriptor];
}
