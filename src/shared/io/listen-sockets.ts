/**
 * Listening sockets as their owner, the main thread, sees them. Opening binds, so that a port in use is
 * known before a push is accepted; listening starts later, when the listener is warm (Envoy does the
 * same). Workers get the `ref` and register it with their reactor.
 */
import type { SocketAddress } from "../common/address.ts";
import type { ListenSocketRef } from "./reactor.ts";

export interface ListenSocketOptions {
  /** Most connections waiting to be accepted; the kernel cuts it to net.core.somaxconn. */
  readonly backlog: number;
  /** SO_REUSEPORT: several sockets on one address, all of which must say so. */
  readonly reusePort: boolean;
  /** IPv6 only: whether IPv4 clients of a wildcard address are left out (`ipv4_compat: false`). */
  readonly ipv6Only: boolean;
  /** IP_FREEBIND: the address need not exist yet. */
  readonly freebind: boolean;
  /** IP_TRANSPARENT: connections to foreign addresses are taken. */
  readonly transparent: boolean;
  /** Accepted connections inherit it; undefined: off. Fields that are undefined are the system's. */
  readonly keepAlive: KeepAlive | undefined;
  /** Applied in order, each at its moment. */
  readonly socketOptions: readonly RawSocketOption[];
}

export interface KeepAlive {
  readonly probes: number | undefined;
  readonly timeS: number | undefined;
  readonly intervalS: number | undefined;
}

/** Envoy's `SocketOption`, values as they are. */
export interface RawSocketOption {
  readonly level: number;
  readonly name: number;
  readonly value: { readonly int: number } | { readonly bytes: Uint8Array };
  readonly state: "prebind" | "bound" | "listening";
}

/** Another process that has been given sockets. */
export interface SocketHolder {
  readonly isThere: boolean;
}

export function holderWhile(isThere: () => boolean): SocketHolder {
  return {
    get isThere() {
      return isThere();
    },
  };
}

export interface OwnedListenSocket {
  /** The address is the one really bound: port 0 has become a port. */
  readonly ref: ListenSocketRef;
  /** Takes connections from now on. What is wrong, in Envoy's words, or undefined. Again: no-op. */
  startListening(): string | undefined;
  /**
   * Leaves the closing to a worker (`ListenRegistration.drainAndClose`): `close` does nothing from now on.
   * False where only its owner can close it, as on the node reactor.
   */
  disown(): boolean;
  /**
   * Another process has the same socket: for as long as it is there, nothing may be done to it that the other would
   * feel, and this side only closes its descriptor.
   */
  shareWith(holder: SocketHolder): void;
  /** It was given to that one, whether it is there or not. */
  isHeldBy(holder: SocketHolder): boolean;
  /** Another process, which is gone, may have ended the listening of the socket that both had. */
  listenAgain(): void;
  /** Workers must have stopped first. What still waits in the queue is reset (`drainQueue` before). */
  close(): void;
}

export type OpenListenSocketResult =
  | { readonly ok: true; readonly socket: OwnedListenSocket }
  | { readonly ok: false; readonly error: string };

export interface ListenSockets {
  /**
   * Binds. `error` is Envoy's text: `cannot bind '127.0.0.1:80': Address already in use`. A file at a
   * Unix path is removed first, as Envoy does; a path beginning with `@` is abstract.
   */
  openListenSocket(
    address: SocketAddress,
    options: ListenSocketOptions,
  ): Promise<OpenListenSocketResult>;
  /** Whether a socket that another process has passed was made with other options; it keeps them. */
  readonly hasOtherOptions?: (
    fd: number,
    address: SocketAddress,
    options: ListenSocketOptions,
  ) => boolean;
  /** Takes a listening socket that another process has passed; undefined where descriptors cannot be. */
  readonly adoptListenSocket?: (
    fd: number,
    address: SocketAddress,
    options: ListenSocketOptions,
  ) => OwnedListenSocket;
}
