/**
 * What the data path needs of the machine: one loop, sockets on it, bytes in one arena, timers.
 * Two implementations: `epoll` (Linux, through FFI) and `node` (net.Socket: no FFI, one worker).
 *
 * Single-threaded and re-entrant by rule: a handler may write to or close any socket, also its own,
 * from within any callback; `onClosed` of a socket closed inside a callback comes later in the same
 * round, never inside the call that closed it. A handler that throws costs its own connection only:
 * the loop closes that socket with reset and counts it.
 */
import type { SocketAddress } from "../common/address.ts";
import type { ClientTlsConfig, ServerTlsConfig } from "../config/tls-config.ts";
import type { Arena } from "./arena.ts";
import type { OutputBuffers } from "./output-buffers.ts";
import type { LeavingRelay } from "./relay-exit.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import type { PeerJudge, TlsContext, TlsFailure, TlsSession } from "./tls/tls.ts";

export type Capability =
  | "splice"
  | "originalDestination"
  | "socketOptions"
  | "descriptorPassing"
  | "sharedListenSockets"
  | "reusePort"
  /** More than one key for session tickets: an older one still decrypts. */
  | "ticketKeys"
  | "ocspStapling";

export interface Reactor {
  readonly kind: "epoll" | "node";
  readonly capabilities: ReadonlySet<Capability>;
  readonly arena: Arena;
  readonly timers: TimerWheel;
  readonly outputs: OutputBuffers;
  /** Monotonic milliseconds, read once a round. */
  readonly nowMs: number;
  /** What queued output holds of the arena, in bytes (epoll: whole blocks of 16 KiB). For a gauge. */
  readonly arenaBytesInUse: number;
  /** Accepts on a socket that the main thread owns; disposing stops it before it returns. */
  listen(socket: ListenSocketRef, handler: AcceptHandler): ListenRegistration;
  /** Takes over a connected descriptor (accepted here or handed on by another worker). */
  adopt(descriptor: Descriptor, handler: SocketHandler, options: SocketOptions): Socket;
  /** Looks at the first bytes of an accepted connection before somebody adopts it. The handler is asleep until `watch`. */
  hold(descriptor: Descriptor, handler: HeldSocketHandler): HeldSocket;
  /** Starts to connect; `onConnected` or `onClosed` follows, never before this returns. */
  connect(address: SocketAddress, handler: SocketHandler, options: SocketOptions): Socket;
  /** Throws a `TlsError` with what is wrong with the configuration. `judge`: of a peer's leaf, apart from its chain. */
  createServerTls(config: ServerTlsConfig, judge?: PeerJudge): TlsContext;
  createClientTls(config: ClientTlsConfig, judge?: PeerJudge): TlsContext;
  /** Closes a descriptor that nobody adopted. */
  discard(descriptor: Descriptor): void;
  /** Runs once, at the end of the current round, after all events of it. */
  atRoundEnd(task: () => void): void;
  /** Closes every socket and ends the loop. */
  [Symbol.dispose](): void;
}

/** Disposing stops accepting before it returns. Registering a socket again replaces the earlier registration. */
export interface ListenRegistration extends Disposable {
  /**
   * Accepts whatever waits in the queue, now, past `acceptsPerEventMax`; how many. Meant for removal,
   * after every worker has disposed its registration: it works on a disposed one while main keeps the
   * socket open. (Connections left in the queue of a closing socket are reset.)
   */
  drainQueue(): number;
  /**
   * As `drainQueue`, and closes the socket between the last accept and the first `onAccepted`: whoever
   * connects in between would be reset, and nothing is quicker than the next system call. Only where
   * main has disowned the socket (`OwnedListenSocket.disown`).
   */
  drainAndClose(): number;
}

/** A listening socket as it crosses threads: a descriptor number on epoll, a key of the in-process table on node. */
export interface ListenSocketRef {
  readonly handle: number;
  readonly localAddress: SocketAddress;
}

/** An accepted connection before it is a `Socket`: a descriptor number on epoll, a key on node. */
export type Descriptor = number;

export interface AcceptHandler {
  /** Most connections taken in one socket event (`max_connections_to_accept_per_socket_event`). */
  readonly acceptsPerEventMax: number;
  onAccepted(descriptor: Descriptor): void;
  /** After each batch: how many were accepted in this event. */
  onBatch(count: number): void;
  /** accept4 failed for want of descriptors or memory; accepting pauses for 100 ms. */
  onExhausted(): void;
}

/**
 * An accepted connection that is looked at: its bytes stay where they are unless they are taken, so whoever adopts it
 * finds all that is left of them. Ends by `release`, by `close`, or with its reactor.
 */
export interface HeldSocket {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** The address before a redirect of the packet filter; undefined: it cannot be known. */
  readonly originalDestination: SocketAddress | undefined;
  /**
   * Copies the first bytes received, `limit` at most, to arena[readStart, readStart + result), which is the caller's until
   * it returns; 0 while there is nothing. `limit` is at most `arenaLayout.readBytes + tailroomBytes`.
   */
  peek(limit: number): PeekResult;
  /** Calls the handler when (more) bytes come; once, maybe, for those that are here already. Once a socket. */
  watch(): void;
  /** Takes the first `count` bytes, which have been looked at, out of the stream. */
  take(count: number): void;
  /** Somebody may adopt it now. */
  release(): Descriptor;
  close(): void;
}

/** `ended`: the peer's FIN, or a reset, is next. */
export type PeekResult =
  | { readonly kind: "bytes"; readonly count: number }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: string };

export interface HeldSocketHandler {
  /** Bytes came, or the end did (or both): `peek` tells. Called again for what comes later only. */
  onArrival(isEnd: boolean): void;
}

export interface SocketOptions {
  /** Soft limit of queued output in bytes; crossing it calls `onAboveHighWatermark` (0: none). */
  readonly bufferLimitBytes: number;
  readonly noDelay: boolean;
  /** `connect` alone; absent: the system chooses. */
  readonly source?: ConnectSource;
  /** `connect` alone: `onConnected` then comes once the handshake is done as well. */
  readonly tls?: TlsStart;
}

/** Where a connection comes from that we dial. */
export interface ConnectSource {
  /** Of an IP; port 0: any. Bound before connecting: what fails there fails the connection. */
  readonly address: SocketAddress;
  /** IP_TRANSPARENT: the address is another's. Needs the capability `socketOptions`. */
  readonly isForeign: boolean;
  /** SO_MARK; 0: none. Needs the capability `socketOptions`. */
  readonly mark: number;
}

export interface TlsStart {
  readonly context: TlsContext;
  /** Of clients: in place of the context's own. */
  readonly serverName?: string;
  readonly alpnProtocols?: readonly string[];
}

export type CloseReason =
  /** We closed it. */
  | "local"
  /** The peer sent FIN and everything was delivered. */
  | "remote"
  | "reset"
  | "connectFailed"
  | "timeout"
  /** No handshake came about, or a record was broken: `tlsFailure` of the socket says why. */
  | "tlsFailed"
  | "bug";

export interface Socket {
  /** Bytes accepted by `write` that the kernel has not taken. */
  readonly queuedBytes: number;
  readonly isOpen: boolean;
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** What the handshake came to, once it is done; undefined on plain text. */
  readonly tlsSession: TlsSession | undefined;
  /** Why it ended, where TLS was the reason. */
  readonly tlsFailure: TlsFailure | undefined;
  /**
   * From now on all bytes are TLS's: nothing may have been read of them, and what is written waits for the handshake.
   * `onConnected` follows when it is done, `onClosed` with `tlsFailed` when it fails. At most once a socket.
   */
  startTls(start: TlsStart): void;
  /**
   * Sends arena[start, end): at once what the kernel takes, the rest is copied and queued, so the
   * range is the caller's again when this returns. Before `onConnected` everything is queued. No-op once closed.
   */
  write(start: number, end: number): void;
  /** While off, no `onData` and no `onEnd`; errors and resets are still seen. */
  setReading(on: boolean): void;
  /** Sends FIN once the queue is empty; reading goes on. */
  shutdownWrite(): void;
  /**
   * `flush`: sends the queue, then closes. `now`: closes, queue dropped. `reset`: RST.
   * `onClosed` follows in every case, exactly once.
   */
  close(how: "flush" | "now" | "reset"): void;
  /**
   * Gives the descriptor away as it is, with whatever the kernel holds; `onClosed` follows as of `close`. Undefined where
   * that is not all there is of it (TLS, queued output, a relay, an end), or it has no descriptor: nothing changes then.
   */
  detach(): Descriptor | undefined;
  /**
   * As `detach`, of both at once, this one's first, or of neither; where they are the ends of a relay, while nothing is
   * under way in it.
   */
  detachWith(peer: Socket): readonly [Descriptor, Descriptor] | undefined;
  /**
   * Of a relay: tells once when it can be left by `detachWith`, at once where that is so now. Again: as told last;
   * undefined: it goes on. Where it can never be left it never tells.
   */
  leaveRelay(leaving: LeavingRelay | undefined): void;
  /** True when the kernel holds received bytes that were not delivered yet. */
  hasUnreadBytes(): boolean;
  /**
   * Moves all further bytes between the two sockets inside the kernel where it can (`splice`), else
   * through the arena: both directions, half-close kept, back-pressure kept. Handlers get `onClosed`
   * and, at each round with progress, `onSpliced`; no more `onData`. What
   * is queued on either socket goes first; what a handler holds must be written to the peer before.
   * When one ends by other than both FINs, the other is left to its owner, no longer read.
   */
  pipeTo(peer: Socket): void;
}

export interface SocketHandler {
  onConnected(): void;
  /**
   * Bytes arena[start, end) arrived. They are the handler's to change until it returns, along with
   * `arena.headroom` bytes before and `arena.tailroom` bytes after; nothing of it may be kept.
   */
  onData(start: number, end: number): void;
  /** The peer's FIN: no more data. The socket stays writable. */
  onEnd(): void;
  onAboveHighWatermark(): void;
  /** The queue fell to half the limit, or to nothing where there is no limit. */
  onBelowLowWatermark(): void;
  /** Bytes moved by `pipeTo` since the last call: read from this socket, written to this socket. */
  onSpliced(bytesRead: number, bytesWritten: number): void;
  /** The end, exactly once, last of all. `detail` is the system's error name where there is one. */
  onClosed(reason: CloseReason, detail: string): void;
}
