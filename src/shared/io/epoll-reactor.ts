/**
 * The reactor of Linux: an epoll set driven through FFI. The set itself is watched by Node's event
 * loop, so a worker keeps its ports, promises and inspector, and sleeps in one place only. A round is one
 * batch of events, then due timers, then tasks of the round's end, then the closing of what was closed.
 *
 * What a newcomer would get wrong: descriptors are closed at the end of a round, never inside it, so
 * a number cannot be used anew while events of its former owner are still in the batch.
 */
import { assert } from "../common/assert.ts";
import type { SocketAddress } from "../common/address.ts";
import type { ClientTlsConfig, ServerTlsConfig } from "../config/tls-config.ts";
import type { Arena } from "./arena.ts";
import { bindSource } from "./bind-source.ts";
import { BlockPool, blockBytes } from "./block-pool.ts";
import { EpollListen, type AcceptLoop } from "./epoll-accept.ts";
import { EpollHeldSocket, type HoldLoop } from "./epoll-held-socket.ts";
import { EpollSocket, type SocketLoop } from "./epoll-socket.ts";
import { HierarchicalWheel, type WheelOwner } from "./hierarchical-wheel.ts";
import { OutputBuffers } from "./output-buffers.ts";
import type * as reactor from "./reactor.ts";
import type { ReactorOptions } from "./reactor-options.ts";
import { relayByCopy } from "./copy-relay.ts";
import { PipePool } from "./pipe-pool.ts";
import { encodeAddress, familyOf } from "./socket-address.ts";
import { relayBySplice } from "./splice-relay.ts";
import {
  close,
  connect,
  epollCreate1,
  epollCtl,
  epollWait,
  errno,
  errnoName,
  errnoOf,
  linux,
  mapMemory,
  socket,
  watchReadable,
  type DescriptorWatch,
} from "./syscalls.ts";
import { EpollTls } from "./tls/epoll-tls.ts";
import type { SslStream } from "./tls/ssl-stream.ts";
import type { PeerJudge, TlsContext } from "./tls/tls.ts";
import { closeWithReset, eventsMax, SystemArea } from "./system-area.ts";
import type { TimerSlot } from "./timer-wheel.ts";
import { TaskList } from "./task-list.ts";
import { WheelDrive } from "./wheel-drive.ts";
import { createWindows, windowsBytes } from "./windows.ts";

/** Rounds before Node's own callbacks get their turn. */
const roundsMax = 4;
/** `data` of an epoll event, second word. */
const kindSocket = 0;
const kindListen = 1;
const kindHeld = 2;
const eventsOfSocket = linux.EPOLLIN | linux.EPOLLRDHUP | linux.EPOLLET;

export function createEpollReactor(options: ReactorOptions): reactor.Reactor {
  return new EpollReactor(options);
}

class EpollReactor implements reactor.Reactor, SocketLoop, AcceptLoop, HoldLoop, WheelOwner {
  readonly kind = "epoll";
  readonly capabilities: ReadonlySet<reactor.Capability> = new Set([
    "splice",
    "originalDestination",
    "socketOptions",
    "descriptorPassing",
    "sharedListenSockets",
    "reusePort",
    "ticketKeys",
    "ocspStapling",
  ]);
  readonly arena: Arena;
  readonly timers: HierarchicalWheel;
  readonly outputs: OutputBuffers;
  /** As `SocketLoop`. */
  readonly windowsAddress: number;
  readonly readStart: number;
  readonly area = new SystemArea();
  readonly blocks: BlockPool;

  readonly #options: ReactorOptions;
  readonly #pipes = new PipePool(this.area);
  readonly #tls = new EpollTls((error) => this.bug(error));
  readonly #epoll: number;
  /** Holding it keeps the set watched. */
  readonly #watch: DescriptorWatch;
  /** By descriptor. */
  readonly #sockets: (EpollSocket | null)[] = [];
  readonly #listens = new Map<number, EpollListen>();
  /** By descriptor. */
  readonly #held = new Map<number, EpollHeldSocket>();

  #ready: EpollSocket[] = [];
  #readySpare: EpollSocket[] = [];
  readonly #tasks = new TaskList();
  readonly #closing: EpollSocket[] = [];

  #isInRound = false;
  #roundMs = 0;
  /** Something is to be done although no descriptor has events. */
  #wakeUp: NodeJS.Immediate | null = null;
  readonly #drive: WheelDrive;
  #isDisposed = false;

  constructor(options: ReactorOptions) {
    this.#options = options;
    const mapping = mapMemory(windowsBytes);
    assert(mapping, "no memory for the windows");
    this.windowsAddress = mapping.address;
    this.arena = createWindows(mapping.buffer);
    this.readStart = this.arena.readStart;
    this.outputs = new OutputBuffers(this.arena, (task) => this.atRoundEnd(task));
    this.blocks = new BlockPool(options.arenaBytesMax);
    this.timers = new HierarchicalWheel(this);
    this.#drive = new WheelDrive(this.timers, () => this.#runRounds());
    this.#epoll = epollCreate1(linux.EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new Error(`cannot create an epoll set: ${errnoName(errno())}`);
    this.#watch = watchReadable(this.#epoll, () => this.#runRounds());
  }

  /** Within a round the time of its start; between rounds (a message came) the time itself. */
  get nowMs(): number {
    return this.#isInRound ? this.#roundMs : performance.now();
  }

  get arenaBytesInUse(): number {
    return this.blocks.inUse * blockBytes;
  }

  listen(ref: reactor.ListenSocketRef, handler: reactor.AcceptHandler): reactor.ListenRegistration {
    this.#listens.get(ref.handle)?.supersede();
    const registration = new EpollListen(this, ref.handle, handler);
    this.#listens.set(ref.handle, registration);
    this.startAccepting(registration);
    return registration;
  }

  adopt(
    descriptor: reactor.Descriptor,
    handler: reactor.SocketHandler,
    options: reactor.SocketOptions,
  ): reactor.Socket {
    const { bufferLimitBytes } = options;
    const adopted = new EpollSocket(this, descriptor, handler, {
      bufferLimitBytes,
      isConnecting: false,
    });
    this.#start(adopted, options.noDelay, eventsOfSocket);
    return adopted;
  }

  hold(descriptor: reactor.Descriptor, handler: reactor.HeldSocketHandler): reactor.HeldSocket {
    const held = new EpollHeldSocket(this, descriptor, handler);
    this.#held.set(descriptor, held);
    return held;
  }

  connect(
    address: SocketAddress,
    handler: reactor.SocketHandler,
    options: reactor.SocketOptions,
  ): reactor.Socket {
    const fd = socket(familyOf(address), linux.SOCK_STREAM | linux.SOCK_OURS, 0);
    const socketError = fd < 0 ? errno() : 0;
    const { bufferLimitBytes } = options;
    const dialled = new EpollSocket(this, fd, handler, { bufferLimitBytes, isConnecting: true });
    dialled.knowRemoteAddress(address);
    const { source } = options;
    const boundError =
      socketError === 0 && source ? bindSource(this.area, fd, source) : socketError;
    const code = boundError === 0 ? this.#dial(fd, address) : boundError;
    if (code !== 0) dialled.failConnecting(code);
    else {
      dialled.awaitsWritable = true;
      this.#start(dialled, options.noDelay, eventsOfSocket | linux.EPOLLOUT);
      if (options.tls) dialled.startTls(options.tls);
    }
    return dialled;
  }

  createServerTls(config: ServerTlsConfig, judge?: PeerJudge): TlsContext {
    return this.#tls.createServer(config, judge);
  }

  createClientTls(config: ClientTlsConfig, judge?: PeerJudge): TlsContext {
    return this.#tls.createClient(config, judge);
  }

  discard(descriptor: reactor.Descriptor): void {
    close(descriptor);
  }

  atRoundEnd(task: () => void): void {
    this.#tasks.add(task);
    this.#wake();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const registration of this.#listens.values()) registration[Symbol.dispose]();
    for (const open of this.#sockets) open?.close("now");
    for (const held of this.#held.values()) held.close();
    this.#endRound();
    if (this.#wakeUp !== null) clearImmediate(this.#wakeUp);
    this.#drive.stop();
    this.#pipes[Symbol.dispose]();
    this.#tls[Symbol.dispose]();
    this.#watch.close();
    close(this.#epoll);
  }

  // What sockets need.

  readyLater(ready: EpollSocket): void {
    if (ready.isReadyQueued) return;
    ready.isReadyQueued = true;
    this.#ready.push(ready);
    this.#wake();
  }

  closeLater(closed: EpollSocket): void {
    if (this.#sockets[closed.fd] === closed) this.#sockets[closed.fd] = null;
    // What is not closed here would go on being reported here (epoll(7), Q6).
    if (closed.isDetached)
      epollCtl(this.#epoll, linux.EPOLL_CTL_DEL, closed.fd, this.area.oneEventAddress);
    this.#closing.push(closed);
    this.#wake();
  }

  awaitWritable(blocked: EpollSocket): void {
    blocked.awaitsWritable = true;
    this.#control(linux.EPOLL_CTL_MOD, blocked.fd, eventsOfSocket | linux.EPOLLOUT);
  }

  relay(first: EpollSocket, second: EpollSocket): void {
    if (first.isTls || second.isTls) relayByCopy(this, first, second);
    else relayBySplice(this, this.#pipes, first, second);
  }

  openTls(socket: EpollSocket, start: reactor.TlsStart): SslStream {
    return this.#tls.open(socket, start);
  }

  queueRefused(): void {
    this.#options.onArenaFull("queue");
  }

  bug(error: unknown): void {
    this.#options.onBug(error);
  }

  // What held sockets need.

  watchHeld({ fd }: EpollHeldSocket): number {
    this.area.setEvent(eventsOfSocket, fd, kindHeld);
    return epollCtl(this.#epoll, linux.EPOLL_CTL_ADD, fd, this.area.oneEventAddress);
  }

  unhold({ fd, isWatched }: EpollHeldSocket): void {
    this.#held.delete(fd);
    if (isWatched) epollCtl(this.#epoll, linux.EPOLL_CTL_DEL, fd, this.area.oneEventAddress);
  }

  // What accepting needs.

  startAccepting(registration: EpollListen): void {
    this.area.setEvent(linux.EPOLLIN | linux.EPOLLEXCLUSIVE, registration.fd, kindListen);
    const failed = epollCtl(
      this.#epoll,
      linux.EPOLL_CTL_ADD,
      registration.fd,
      this.area.oneEventAddress,
    );
    assert(failed === 0, `cannot accept on ${registration.fd}: ${errnoName(errno())}`);
  }

  stopAccepting(registration: EpollListen): void {
    epollCtl(this.#epoll, linux.EPOLL_CTL_DEL, registration.fd, this.area.oneEventAddress);
  }

  forget(registration: EpollListen): void {
    if (this.#listens.get(registration.fd) === registration) this.#listens.delete(registration.fd);
  }

  refuseIfExhausted(fd: number): boolean {
    if (!this.blocks.isExhausted) return false;
    closeWithReset(this.area, fd);
    this.#options.onArenaFull("accept");
    return true;
  }

  armPause(slot: TimerSlot, delayMs: number): void {
    this.timers.arm(slot, delayMs);
  }

  cancelPause(slot: TimerSlot): void {
    this.timers.cancel(slot);
  }

  // The loop.

  /** As `WheelOwner`. Inside a round the wake-up is set once, at its end. */
  wakeEarlier(): void {
    if (this.#isDisposed) return;
    this.#drive.markStale();
    if (!this.#isInRound) this.#drive.update();
  }

  #runRounds(): void {
    // More may wait in the set after the last: Node's loop sees that and calls again.
    for (let i = 0; i < roundsMax; i++) if (!this.#round()) break;
    if (this.#ready.length + this.#tasks.size > 0) this.#wake();
  }

  /** One batch of events and all that follows from them. False when there is nothing left to do. */
  #round(): boolean {
    if (this.#isDisposed) return false;
    const count = epollWait(this.#epoll, this.area.eventsAddress, eventsMax, 0);
    this.#roundMs = performance.now();
    this.#isInRound = true;
    if (this.#ready.length > 0) this.#runReady();
    for (let i = 0; i < count; i++) this.#dispatch(i);
    this.timers.advance(this.#roundMs);
    this.#endRound();
    this.#isInRound = false;
    this.#drive.update();
    return count + this.#ready.length > 0 && !this.#isDisposed;
  }

  #dispatch(index: number): void {
    const descriptor = this.area.eventDescriptor(index);
    const events = this.area.eventFlags(index);
    const kind = this.area.eventKind(index);
    if (kind !== kindSocket) {
      if (kind === kindListen) this.#dispatchListen(descriptor);
      else this.#dispatchHeld(descriptor, events);
      return;
    }
    const target = this.#sockets[descriptor];
    if (target === null || target === undefined) return;
    try {
      target.onEvents(events);
    } catch (error) {
      this.bug(error);
      target.closeForBug();
    }
  }

  #dispatchListen(descriptor: number): void {
    try {
      this.#listens.get(descriptor)?.onEvents();
    } catch (error) {
      this.bug(error);
    }
  }

  #dispatchHeld(descriptor: number, events: number): void {
    const held = this.#held.get(descriptor);
    try {
      held?.onEvents(events);
    } catch (error) {
      this.bug(error);
      held?.close();
    }
  }

  /** What became ready while this runs waits for the next round. */
  #runReady(): void {
    const batch = this.#ready;
    this.#ready = this.#readySpare;
    this.#readySpare = batch;
    for (const ready of batch) {
      ready.isReadyQueued = false;
      try {
        ready.onReady();
      } catch (error) {
        this.bug(error);
        ready.closeForBug();
      }
    }
    batch.length = 0;
  }

  #endRound(): void {
    if (this.#tasks.size > 0) this.#tasks.run(this);
    // Grows while it runs, as `onClosed` may close others, and may be entered again, by a dispose.
    for (let closed = this.#closing.pop(); closed; closed = this.#closing.pop()) {
      this.#finishClosing(closed);
    }
  }

  #finishClosing(closed: EpollSocket): void {
    if (closed.fd >= 0 && !closed.isDetached) {
      if (closed.isReset) this.area.resetOnClose(closed.fd);
      close(closed.fd);
    }
    closed.hasEnded = true;
    try {
      closed.handler.onClosed(closed.closeReason, closed.closeDetail);
    } catch (error) {
      this.bug(error);
    }
  }

  #start(started: EpollSocket, noDelay: boolean, events: number): void {
    const { fd } = started;
    while (this.#sockets.length <= fd) this.#sockets.push(null);
    this.#sockets[fd] = started;
    // Fails on Unix sockets, which have no such delay.
    if (noDelay) this.area.setOption(fd, linux.IPPROTO_TCP, linux.TCP_NODELAY, 1);
    if (this.#control(linux.EPOLL_CTL_ADD, fd, events) !== 0) started.fail(errno());
  }

  #dial(fd: number, address: SocketAddress): number {
    const length = encodeAddress(this.area, address);
    if (length === 0) return errnoOf.EINVAL;
    if (connect(fd, this.area.addressAddress, length) === 0) return 0;
    const code = errno();
    return code === errnoOf.EINPROGRESS ? 0 : code;
  }

  #control(operation: number, fd: number, events: number): number {
    this.area.setEvent(events, fd, kindSocket);
    return epollCtl(this.#epoll, operation, fd, this.area.oneEventAddress);
  }

  /** Runs a round soon, although no descriptor may have events. Within a round its end looks after it. */
  #wake(): void {
    if (this.#isInRound || this.#wakeUp !== null || this.#isDisposed) return;
    this.#wakeUp = setImmediate(() => {
      this.#wakeUp = null;
      this.#runRounds();
    });
  }
}
