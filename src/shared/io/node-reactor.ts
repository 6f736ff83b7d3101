/**
 * The reactor without FFI: `net.Socket` and one worker inside the process, for machines that are not
 * Linux. Same contract, by copying; slower by half (docs). A round is one callback of Node's.
 */
import net from "node:net";
import { assert } from "../common/assert.ts";
import type { SocketAddress } from "../common/address.ts";
import type { ClientTlsConfig, ServerTlsConfig } from "../config/tls-config.ts";
import type { Arena } from "./arena.ts";
import { HierarchicalWheel, type WheelOwner } from "./hierarchical-wheel.ts";
import type { NodeListenEntry, NodeListenSockets } from "./node-listen-sockets.ts";
import { NodeHeldSocket } from "./node-held-socket.ts";
import { NodeSocket, type NodeSocketLoop } from "./node-socket.ts";
import { OutputBuffers } from "./output-buffers.ts";
import type * as reactor from "./reactor.ts";
import type { ReactorOptions } from "./reactor-options.ts";
import { TaskList } from "./task-list.ts";
import { NodeClientContext, NodeServerContext } from "./tls/node-tls.ts";
import type { PeerJudge, TlsContext } from "./tls/tls.ts";
import { WheelDrive } from "./wheel-drive.ts";
import { createWindows, windowsBytes } from "./windows.ts";

/** `listenSockets` is where the main thread, which is this thread, opens them. */
export function createNodeReactor(
  options: ReactorOptions,
  listenSockets: NodeListenSockets,
): reactor.Reactor {
  return new NodeReactor(options, listenSockets);
}

interface Accepted {
  readonly raw: net.Socket;
  /** The listening socket's. */
  readonly at: SocketAddress;
}

class NodeReactor implements reactor.Reactor, NodeSocketLoop, WheelOwner {
  readonly kind = "node";
  readonly capabilities: ReadonlySet<reactor.Capability> = new Set();
  readonly arena: Arena = createWindows(new ArrayBuffer(windowsBytes));
  readonly timers: HierarchicalWheel;
  readonly outputs = new OutputBuffers(this.arena, (task) => this.atRoundEnd(task));
  readonly #options: ReactorOptions;
  readonly #listenSockets: NodeListenSockets;
  readonly #drive: WheelDrive;
  readonly #tasks = new TaskList();
  readonly #sockets = new Set<NodeSocket>();
  readonly #listens = new Set<NodeListen>();
  /** Accepted, neither adopted nor discarded yet. */
  readonly #accepted = new Map<reactor.Descriptor, Accepted>();
  readonly #held = new Set<NodeHeldSocket>();
  #nextDescriptor = 1;
  #queuedBytes = 0;
  #isInRound = false;
  #roundMs = 0;
  #wakeUp: NodeJS.Immediate | null = null;
  #isDisposed = false;

  constructor(options: ReactorOptions, listenSockets: NodeListenSockets) {
    this.#options = options;
    this.#listenSockets = listenSockets;
    this.timers = new HierarchicalWheel(this);
    this.#drive = new WheelDrive(this.timers, () => this.#round(() => {}));
  }

  get nowMs(): number {
    return this.#isInRound ? this.#roundMs : performance.now();
  }

  get arenaBytesInUse(): number {
    return this.#queuedBytes;
  }

  listen(ref: reactor.ListenSocketRef, handler: reactor.AcceptHandler): reactor.ListenRegistration {
    const entry = this.#listenSockets.entry(ref.handle);
    assert(entry, `no listening socket ${ref.handle}`);
    const take = (socket: net.Socket): void =>
      this.#round(() => this.#accept({ raw: socket, at: ref.localAddress }, handler));
    const registration = new NodeListen(entry, take, () => this.#listens.delete(registration));
    this.#listens.add(registration);
    entry.takeWith(take);
    return registration;
  }

  adopt(
    descriptor: reactor.Descriptor,
    handler: reactor.SocketHandler,
    options: reactor.SocketOptions,
  ): reactor.Socket {
    const accepted = this.#accepted.get(descriptor);
    assert(accepted, `no accepted connection ${descriptor}`);
    this.#accepted.delete(descriptor);
    const socket = this.#add(accepted.raw, handler, options, undefined);
    // Node knows no names of Unix sockets.
    if (accepted.at.kind === "pipe") socket.knowLocalAddress(accepted.at);
    return socket;
  }

  hold(descriptor: reactor.Descriptor, handler: reactor.HeldSocketHandler): reactor.HeldSocket {
    const accepted = this.#accepted.get(descriptor);
    assert(accepted, `no accepted connection ${descriptor}`);
    const held = new NodeHeldSocket(accepted.raw, handler, {
      arena: this.arena,
      run: (callback) => this.#runHeld(held, callback),
      unhold: (isOpen) => {
        this.#held.delete(held);
        if (!isOpen) this.#accepted.delete(descriptor);
        return descriptor;
      },
    });
    this.#held.add(held);
    return held;
  }

  connect(
    address: SocketAddress,
    handler: reactor.SocketHandler,
    options: reactor.SocketOptions,
  ): reactor.Socket {
    const raw = new net.Socket({ allowHalfOpen: true });
    const dialled = this.#add(raw, handler, options, address);
    const { source } = options;
    if (address.kind === "ip")
      raw.connect({ host: address.ip, port: address.port, ...(source && localEnd(source)) });
    else raw.connect({ path: address.path.replace(/^@/, "\0") });
    if (options.tls) dialled.startTls(options.tls);
    return dialled;
  }

  createServerTls(config: ServerTlsConfig, judge?: PeerJudge): TlsContext {
    return new NodeServerContext(config, judge);
  }

  createClientTls(config: ClientTlsConfig, judge?: PeerJudge): TlsContext {
    return new NodeClientContext(config, judge);
  }

  discard(descriptor: reactor.Descriptor): void {
    this.#accepted.get(descriptor)?.raw.destroy();
    this.#accepted.delete(descriptor);
  }

  atRoundEnd(task: () => void): void {
    this.#tasks.add(task);
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const registration of this.#listens) registration[Symbol.dispose]();
    for (const socket of this.#sockets) socket.close("now");
    for (const held of this.#held) held.close();
    for (const { raw } of this.#accepted.values()) raw.destroy();
    this.#accepted.clear();
    this.#drive.stop();
    if (this.#wakeUp !== null) clearImmediate(this.#wakeUp);
  }

  // What sockets need.

  run(owner: NodeSocket, callback: () => void): void {
    this.#round(() => {
      try {
        callback();
      } catch (error) {
        this.bug(error);
        owner.closeForBug();
      }
    });
  }

  mayQueue(count: number): boolean {
    if (this.#queuedBytes + count <= this.#options.arenaBytesMax) return true;
    this.#options.onArenaFull("queue");
    return false;
  }

  queueChanged(byBytes: number): void {
    this.#queuedBytes += byBytes;
  }

  ended(socket: NodeSocket): void {
    this.#sockets.delete(socket);
  }

  bug(error: unknown): void {
    this.#options.onBug(error);
  }

  /** As `WheelOwner`. */
  wakeEarlier(): void {
    if (this.#isDisposed) return;
    this.#drive.markStale();
    if (!this.#isInRound) this.#drive.update();
  }

  #add(
    raw: net.Socket,
    handler: reactor.SocketHandler,
    options: reactor.SocketOptions,
    dialled: SocketAddress | undefined,
  ): NodeSocket {
    raw.setNoDelay(options.noDelay);
    const { bufferLimitBytes } = options;
    const socket = new NodeSocket(this, raw, handler, { bufferLimitBytes, dialled });
    this.#sockets.add(socket);
    return socket;
  }

  #runHeld(held: NodeHeldSocket, callback: () => void): void {
    this.#round(() => {
      try {
        callback();
      } catch (error) {
        this.bug(error);
        held.close();
      }
    });
  }

  #accept(accepted: Accepted, handler: reactor.AcceptHandler): void {
    if (this.#queuedBytes >= this.#options.arenaBytesMax) {
      accepted.raw.resetAndDestroy();
      this.#options.onArenaFull("accept");
      return;
    }
    const descriptor = this.#nextDescriptor++;
    this.#accepted.set(descriptor, accepted);
    try {
      handler.onAccepted(descriptor);
      handler.onBatch(1);
    } catch (error) {
      this.bug(error);
    }
  }

  /** Callbacks of Node's may come inside each other (a write that fails at once): only the outermost ends the round. */
  #round(body: () => void): void {
    if (this.#isInRound) {
      body();
      return;
    }
    this.#isInRound = true;
    this.#roundMs = performance.now();
    body();
    this.timers.advance(this.#roundMs);
    this.#tasks.run(this);
    this.#isInRound = false;
    this.#drive.update();
    if (this.#tasks.size > 0) this.#wake();
  }

  #wake(): void {
    if (this.#isInRound || this.#wakeUp !== null) return;
    this.#wakeUp = setImmediate(() => {
      this.#wakeUp = null;
      this.#round(() => {});
    });
  }
}

class NodeListen implements reactor.ListenRegistration {
  readonly #entry: NodeListenEntry;
  readonly #take: (socket: net.Socket) => void;
  readonly #onDisposed: () => void;

  constructor(entry: NodeListenEntry, take: (socket: net.Socket) => void, onDisposed: () => void) {
    this.#entry = entry;
    this.#take = take;
    this.#onDisposed = onDisposed;
  }

  drainQueue(): number {
    return this.#entry.drain(this.#take);
  }

  /** Nobody disowns a socket here: main closes it. */
  drainAndClose(): number {
    return this.drainQueue();
  }

  [Symbol.dispose](): void {
    // A later registration of the same socket keeps its place.
    this.#entry.stopTaking(this.#take);
    this.#onDisposed();
  }
}

function localEnd({ address }: reactor.ConnectSource): {
  readonly localAddress?: string;
  readonly localPort?: number;
} {
  return address.kind === "ip" ? { localAddress: address.ip, localPort: address.port } : {};
}
