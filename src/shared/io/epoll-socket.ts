/**
 * A raw socket on the epoll loop. Registered edge-triggered: an event says that something changed, so
 * what is known to be readable is remembered (`readable`) until a read comes back short, and turning
 * reading off and on costs no system call. What a newcomer would get wrong: a short read does not mean
 * "nothing left" once the peer's FIN or an error was announced (`isEndAnnounced`), because no further
 * edge will come for it.
 */
import { type SocketAddress, unnamed } from "../common/address.ts";
import { arenaLayout } from "./arena.ts";
import { BlockQueue } from "./block-queue.ts";
import type { BlockPool } from "./block-pool.ts";
import type { CloseReason, Socket, SocketHandler, TlsStart } from "./reactor.ts";
import type { LeavingRelay } from "./relay-exit.ts";
import { localAddressOf, remoteAddressOf, unmapped } from "./socket-address.ts";
import { errno, errnoName, errnoOf, linux, recv, send, shutdown } from "./syscalls.ts";
import type { SystemArea } from "./system-area.ts";
import { sslBlocked, type SslStream } from "./tls/ssl-stream.ts";
import type { TlsFailure, TlsSession } from "./tls/tls.ts";
import { assertInWindows } from "./windows.ts";

/** What a socket needs of its loop. */
export interface SocketLoop {
  /** Address of offset 0 of the windows. */
  readonly windowsAddress: number;
  readonly readStart: number;
  readonly area: SystemArea;
  readonly blocks: BlockPool;
  /** Calls `socket.onReady()` in the next pass, so that one socket never holds up the others. */
  readyLater(socket: EpollSocket): void;
  /** Forgets the descriptor at once; closes it and calls `onClosed` at the end of the round. */
  closeLater(socket: EpollSocket): void;
  /** Adds EPOLLOUT to the events that are awaited. */
  awaitWritable(socket: EpollSocket): void;
  /** Takes both sockets' bytes out of the hands of their handlers. */
  relay(from: EpollSocket, to: EpollSocket): void;
  /** Throws where the context is of another reactor. */
  openTls(socket: EpollSocket, start: TlsStart): SslStream;
  /** Output could not be queued: the arena is at its cap. */
  queueRefused(): void;
  bug(error: unknown): void;
}

/** One socket's half of a relay (`splice-relay.ts`). */
export interface SocketRelay {
  /** Bytes on their way to this socket that only the relay holds. */
  readonly bytesUnderway: number;
  /** Neither to this socket nor from it is anything under way. */
  readonly isEmpty: boolean;
  /** See `Socket.leaveRelay`. */
  leave(leaving: LeavingRelay | undefined): void;
  onReadable(): void;
  onWritable(): void;
  /** The socket was closed, or its loop ends. */
  onClosed(): void;
}

/** `flushing`: closed by its owner, still sending what was queued. */
type SocketState = "connecting" | "handshaking" | "open" | "flushing" | "closed";
/** `wanted`: FIN goes out when the queue is empty. `failed`: the peer takes nothing any more. */
type WriteState = "open" | "wanted" | "sent" | "failed";

const eventsOfEnd = linux.EPOLLRDHUP | linux.EPOLLHUP | linux.EPOLLERR;
const eventsOfRead = linux.EPOLLIN | eventsOfEnd;

export class EpollSocket implements Socket {
  /** Set once. */
  readonly fd: number;
  readonly handler: SocketHandler;
  readonly #loop: SocketLoop;
  readonly #bufferLimitBytes: number;

  /** The loop's own marks. */
  isReadyQueued = false;
  awaitsWritable = false;
  closeReason: CloseReason = "local";
  closeDetail = "";
  isReset = false;
  /** The descriptor is somebody else's by now. */
  isDetached = false;
  /** `onClosed` was called. */
  hasEnded = false;

  queuedBytes = 0;
  readable = false;
  isReadEnded = false;
  #state: SocketState;
  #writeState: WriteState = "open";
  #isReading = true;
  #isEndAnnounced = false;
  #isAboveWatermark = false;
  /** errno of a failed send, until what was received before it is delivered. */
  #failure = 0;
  #queue: BlockQueue | null = null;
  #relay: SocketRelay | null = null;
  #tls: SslStream | null = null;
  #localAddress: SocketAddress | null = null;
  #remoteAddress: SocketAddress | null = null;

  constructor(
    loop: SocketLoop,
    fd: number,
    handler: SocketHandler,
    state: { readonly bufferLimitBytes: number; readonly isConnecting: boolean },
  ) {
    this.#loop = loop;
    this.fd = fd;
    this.handler = handler;
    this.#bufferLimitBytes = state.bufferLimitBytes;
    this.#state = state.isConnecting ? "connecting" : "open";
  }

  get isOpen(): boolean {
    const state = this.#state;
    return state === "open" || state === "connecting" || state === "handshaking";
  }

  get isTls(): boolean {
    return this.#tls !== null;
  }

  get tlsSession(): TlsSession | undefined {
    return this.#tls?.session;
  }

  get tlsFailure(): TlsFailure | undefined {
    return this.#tls?.failure;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Whether the kernel takes bytes for it: connected, and not closed yet. */
  get takesOutput(): boolean {
    return this.#state === "open" || this.#state === "flushing";
  }

  /** Kept after the first look, as a closed descriptor has no name any more. */
  get localAddress(): SocketAddress {
    if (this.#localAddress === null) {
      if (this.isClosed) return unnamed;
      this.#localAddress = unmapped(localAddressOf(this.#loop.area, this.fd));
    }
    return this.#localAddress;
  }

  get remoteAddress(): SocketAddress {
    if (this.#remoteAddress === null) {
      if (this.isClosed) return unnamed;
      this.#remoteAddress = unmapped(remoteAddressOf(this.#loop.area, this.fd));
    }
    return this.#remoteAddress;
  }

  /** The address that was dialled: known even where the connection never came about. */
  knowRemoteAddress(address: SocketAddress): void {
    this.#remoteAddress = address;
  }

  write(start: number, end: number): void {
    assertInWindows(start, end);
    if (start === end || this.#writeState !== "open") return;
    const length = end - start;
    const address = this.#loop.windowsAddress + start;
    let sent = 0;
    if (this.#state === "open" && this.queuedBytes === 0) {
      sent =
        this.#tls === null
          ? send(this.fd, address, length, linux.MSG_NOSIGNAL)
          : this.#tls.writeAll(address, length);
      if (sent === length) return;
      if (sent < 0) {
        const code = this.#tls === null ? errno() : this.#tls.failedErrno;
        if (code !== errnoOf.EAGAIN) {
          this.#failWrite(code);
          return;
        }
        sent = 0;
      }
    } else if (!this.isOpen) return;
    this.#enqueue(address + sent, length - sent);
  }

  setReading(on: boolean): void {
    if (this.#isReading === on) return;
    this.#isReading = on;
    if (!this.isOpen || this.#relay !== null) return;
    if (!on && this.#failure !== 0) this.#fail(this.#failure);
    else if (on && this.readable) this.#loop.readyLater(this);
  }

  shutdownWrite(): void {
    if (this.#writeState !== "open" || !this.isOpen) return;
    this.#writeState = "wanted";
    if (this.#state === "open" && this.queuedBytes === 0) this.#sendFin();
  }

  close(how: "flush" | "now" | "reset"): void {
    if (this.#state === "closed") return;
    const underway = this.queuedBytes + (this.#relay?.bytesUnderway ?? 0);
    // A connection that never came about has nobody to flush to.
    const hasBegun = this.#state !== "connecting" && this.#state !== "handshaking";
    if (how === "flush" && underway > 0 && hasBegun) {
      this.#state = "flushing";
      this.#isReading = false;
      return;
    }
    if (how === "reset") this.isReset = true;
    this.#finish("local", "");
  }

  detach(): number | undefined {
    if (this.#relay !== null || !this.#isWhole) return undefined;
    this.#detach();
    return this.fd;
  }

  detachWith(peer: Socket): readonly [number, number] | undefined {
    if (!(peer instanceof EpollSocket) || !this.#isWhole || !peer.#isWhole) return undefined;
    if (this.#relay?.isEmpty === false || peer.#relay?.isEmpty === false) return undefined;
    this.#detach();
    peer.#detach();
    return [this.fd, peer.fd];
  }

  leaveRelay(leaving: LeavingRelay | undefined): void {
    this.#relay?.leave(leaving);
  }

  /** The descriptor is all there is of it. */
  get #isWhole(): boolean {
    const isPlain = this.#state === "open" && this.#tls === null && this.queuedBytes === 0;
    return isPlain && this.#writeState === "open" && !this.isReadEnded && this.#failure === 0;
  }

  #detach(): void {
    // It has ended without an end: its peer is told of none.
    this.#relay = null;
    this.isDetached = true;
    this.#finish("local", "");
  }

  hasUnreadBytes(): boolean {
    if (this.#state === "closed" || this.#state === "connecting") return false;
    if (this.#tls?.hasPending === true) return true;
    const flags = linux.MSG_PEEK | linux.MSG_DONTWAIT;
    return recv(this.fd, this.#loop.area.peekAddress, 1, flags) > 0;
  }

  pipeTo(peer: Socket): void {
    if (!(peer instanceof EpollSocket)) throw new TypeError("bug: the peer is of another reactor");
    this.#loop.relay(this, peer);
  }

  startTls(start: TlsStart): void {
    if (!this.isOpen || this.#tls !== null) return;
    this.#tls = this.#loop.openTls(this, start);
    if (this.#state !== "open") return;
    this.#state = "handshaking";
    // A handshake takes buffers with its first step: who connects and says nothing is not given them.
    if (start.context.role === "server" && this.#isSilent()) return;
    // What the peer has sent by now was announced before.
    this.readable = true;
    this.#loop.readyLater(this);
  }

  /** Neither bytes nor an end of them are here. */
  #isSilent(): boolean {
    const flags = linux.MSG_PEEK | linux.MSG_DONTWAIT;
    const count = recv(this.fd, this.#loop.area.peekAddress, 1, flags);
    return count < 0 && errno() === errnoOf.EAGAIN;
  }

  /** From now on the relay has the bytes. */
  startRelay(relay: SocketRelay): void {
    this.#relay = relay;
    if (this.readable) this.#loop.readyLater(this);
  }

  /** The relay moved bytes, or ended: what waited for it may go on. */
  onRelayProgress(): void {
    this.#afterProgress();
  }

  /** The kernel reports on the descriptor: `events` of epoll. */
  onEvents(events: number): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting" && !this.#finishConnecting(events)) return;
    if ((events & eventsOfEnd) !== 0) this.#isEndAnnounced = true;
    if ((events & linux.EPOLLERR) !== 0 && !this.#canDeliver()) {
      this.#fail(this.#loop.area.takeError(this.fd));
      return;
    }
    if (this.#state === "handshaking") {
      this.#handshake();
      return;
    }
    if ((events & linux.EPOLLOUT) !== 0) this.#onWritable();
    if ((events & eventsOfRead) !== 0) {
      this.readable = true;
      this.onReady();
    }
  }

  /** Reads once, if that is wanted. */
  onReady(): void {
    if (!this.readable) return;
    if (this.#state === "handshaking") {
      this.#handshake();
      return;
    }
    if (this.#state !== "open" && this.#relay === null) return;
    if (this.#relay !== null) this.#relay.onReadable();
    else if (this.#isReading && !this.isReadEnded) this.#read();
  }

  /** The end that is not of the owner's making: `code` is the errno. */
  fail(code: number): void {
    this.#fail(code);
  }

  /** connect(2) failed at once; the handler learns of it as of any other failure, later. */
  failConnecting(code: number): void {
    this.#finish("connectFailed", errnoName(code));
  }

  /** Its handler threw. */
  closeForBug(): void {
    if (this.#state === "closed") return;
    this.isReset = true;
    this.#finish("bug", "");
  }

  /** The peer's FIN has been read; nothing more comes. */
  endReading(): void {
    this.readable = false;
    this.isReadEnded = true;
    this.#finishIfBothEnded();
  }

  #canDeliver(): boolean {
    const isWanted = this.#isReading || this.#relay !== null;
    return isWanted && !this.isReadEnded && this.#state === "open";
  }

  #read(): void {
    if (this.#tls !== null) {
      this.#readTls();
      return;
    }
    const { readStart, windowsAddress } = this.#loop;
    const count = recv(this.fd, windowsAddress + readStart, arenaLayout.readBytes, 0);
    if (count > 0) {
      if (count === arenaLayout.readBytes || this.#isEndAnnounced) this.#loop.readyLater(this);
      else this.readable = false;
      this.handler.onData(readStart, readStart + count);
    } else if (count === 0) this.#onFin();
    else this.#onReadError(errno());
  }

  #readTls(): void {
    const { readStart } = this.#loop;
    const count = this.receive();
    if (count > 0) this.handler.onData(readStart, readStart + count);
    else if (this.isReadEnded) {
      this.handler.onEnd();
      this.#finishIfBothEnded();
    }
  }

  /** One read of TLS into the window, for whoever does with it as it likes: how many bytes. The end is noted. */
  receive(): number {
    const { readStart, windowsAddress } = this.#loop;
    const tls = this.#tls;
    const count =
      tls === null
        ? recv(this.fd, windowsAddress + readStart, arenaLayout.readBytes, 0)
        : tls.read(windowsAddress + readStart, arenaLayout.readBytes);
    if (count > 0) {
      if (tls?.isDrained === true && !this.#isEndAnnounced) this.readable = false;
      else this.#loop.readyLater(this);
      return count;
    }
    if (count === 0 && this.#failure === 0) {
      this.readable = false;
      this.isReadEnded = true;
    } else if (tls === null) this.#onReadError(count === 0 ? this.#failure : errno());
    else if (count === sslBlocked && this.#failure === 0) {
      this.readable = tls.readWaitsForRoom;
      if (this.readable && !this.awaitsWritable) this.#loop.awaitWritable(this);
    } else this.#failTls(tls);
    return 0;
  }

  #handshake(): void {
    const tls = this.#tls;
    if (tls === null) return;
    switch (tls.handshake()) {
      case "done":
        this.#state = "open";
        // The peer's first bytes may have come with the end of its handshake.
        this.readable = true;
        this.#loop.readyLater(this);
        this.handler.onConnected();
        this.#onWritable();
        return;
      case "wantsRead":
        this.readable = false;
        return;
      case "wantsWrite":
        if (!this.awaitsWritable) this.#loop.awaitWritable(this);
        return;
      case "failed":
        this.#failTls(tls);
        return;
    }
  }

  #failTls(tls: SslStream): void {
    if (this.#failure !== 0) this.#fail(this.#failure);
    else if (tls.failedErrno > 0) this.#fail(tls.failedErrno);
    else this.#finish("tlsFailed", tls.failure?.reason ?? "");
  }

  #onFin(): void {
    if (this.#failure !== 0) {
      this.#fail(this.#failure);
      return;
    }
    this.readable = false;
    this.isReadEnded = true;
    this.handler.onEnd();
    this.#finishIfBothEnded();
  }

  #onReadError(code: number): void {
    if (code === errnoOf.EAGAIN && this.#failure === 0) this.readable = false;
    else this.#fail(this.#failure === 0 ? code : this.#failure);
  }

  #finishConnecting(events: number): boolean {
    const mayHaveFailed = (events & (linux.EPOLLERR | linux.EPOLLHUP)) !== 0;
    // HUP alone is a Unix peer that closed at once: connected, and its bytes may be here.
    const code = mayHaveFailed ? this.#loop.area.takeError(this.fd) : 0;
    if (code !== 0) {
      this.#finish("connectFailed", errnoName(code));
      return false;
    }
    if (!mayHaveFailed && (events & linux.EPOLLOUT) === 0) return false;
    if (this.#tls !== null) {
      this.#state = "handshaking";
      return true;
    }
    this.#state = "open";
    this.handler.onConnected();
    // onConnected may have closed it.
    return !this.isClosed;
  }

  #onWritable(): void {
    if (this.queuedBytes > 0) this.#flush();
    else if (this.#writeState === "wanted" && this.isOpen) this.#afterProgress();
    if (this.queuedBytes === 0) this.#relay?.onWritable();
  }

  #enqueue(address: number, count: number): void {
    this.#queue ??= new BlockQueue(this.#loop.blocks);
    if (!this.#queue.append(address, count)) {
      this.#loop.queueRefused();
      this.isReset = true;
      this.#finish("reset", "ENOMEM");
      return;
    }
    this.queuedBytes = this.#queue.bytes;
    if (!this.awaitsWritable) this.#loop.awaitWritable(this);
    if (this.#bufferLimitBytes === 0 || this.queuedBytes <= this.#bufferLimitBytes) return;
    if (!this.#isAboveWatermark) this.#callAboveWatermark();
  }

  /** Called from inside `write`, maybe within another socket's handler: its throw must cost this socket only. */
  #callAboveWatermark(): void {
    this.#isAboveWatermark = true;
    try {
      this.handler.onAboveHighWatermark();
    } catch (error) {
      this.#loop.bug(error);
      this.closeForBug();
    }
  }

  #flush(): void {
    const queue = this.#queue;
    if (queue === null) return;
    while (queue.bytes > 0) {
      const tls = this.#tls;
      const sent = tls === null ? queue.sendTo(this.fd, this.#loop.area) : sendHead(queue, tls);
      if (sent >= 0) continue;
      const code = tls === null ? errno() : tls.failedErrno;
      if (code !== errnoOf.EAGAIN) {
        this.#failWrite(code);
        return;
      }
      break;
    }
    this.queuedBytes = queue.bytes;
    this.#afterProgress();
  }

  /** Some output left: low watermark, FIN and the end of flushing follow from what is left. */
  #afterProgress(): void {
    if (this.#state === "closed") return;
    if (this.queuedBytes + (this.#relay?.bytesUnderway ?? 0) === 0) {
      if (this.#state === "flushing") {
        this.#finish("local", "");
        return;
      }
      if (this.#writeState === "wanted") this.#sendFin();
    }
    if (this.#relay === null && this.#state === "open") this.#callBelowWatermark();
  }

  #callBelowWatermark(): void {
    const limit = this.#bufferLimitBytes;
    const isBelow = limit === 0 ? this.queuedBytes === 0 : this.queuedBytes <= limit / 2;
    if (!isBelow || (limit !== 0 && !this.#isAboveWatermark)) return;
    this.#isAboveWatermark = false;
    this.handler.onBelowLowWatermark();
  }

  #sendFin(): void {
    this.#writeState = "sent";
    this.#tls?.sendClose();
    shutdown(this.fd, linux.SHUT_WR);
    this.#finishIfBothEnded();
  }

  #finishIfBothEnded(): void {
    if (this.isReadEnded && this.#writeState === "sent") this.#finish("remote", "");
  }

  /**
   * The peer takes nothing any more, but what it sent before may still be here: a server that answers
   * early and closes would lose its answer otherwise. So reading goes on to its end, then the socket fails.
   */
  #failWrite(code: number): void {
    this.#writeState = "failed";
    this.#queue?.clear();
    this.queuedBytes = 0;
    if (!this.#canDeliver()) {
      this.#fail(code);
      return;
    }
    this.#failure = code;
    this.#isEndAnnounced = true;
    this.readable = true;
    this.#loop.readyLater(this);
  }

  #fail(code: number): void {
    this.#finish(code === errnoOf.ETIMEDOUT ? "timeout" : "reset", errnoName(code));
  }

  #finish(reason: CloseReason, detail: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.closeReason = reason;
    this.closeDetail = detail;
    this.#queue?.clear();
    this.queuedBytes = 0;
    this.#relay?.onClosed();
    this.#relay = null;
    if (this.#tls !== null) {
      if (!this.isReset) this.#tls.sendClose();
      this.#tls.free();
    }
    this.#loop.closeLater(this);
  }
}

/** As `BlockQueue.sendTo`: what OpenSSL could not send it wants again from the same byte on, and that is the head. */
function sendHead(queue: BlockQueue, tls: SslStream): number {
  const sent = tls.writeAll(queue.headAddress, queue.headBytes);
  if (sent > 0) queue.consume(sent);
  return sent;
}
