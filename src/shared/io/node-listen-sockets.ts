/**
 * Listening sockets of the `node` reactor: `net.Server`s in a table that main and the one in-process
 * worker share. Node cannot bind without listening, so connections that come before the listener is
 * warm wait here; beyond a bound they are closed.
 */
import { chmodSync, rmSync } from "node:fs";
import net from "node:net";
import { getSystemErrorMessage } from "node:util";
import { formatAddress, type SocketAddress } from "../common/address.ts";
import { messageOf } from "../common/errors.ts";
import type {
  ListenSocketOptions,
  ListenSockets,
  OpenListenSocketResult,
  OwnedListenSocket,
} from "./listen-sockets.ts";

export class NodeListenSockets implements ListenSockets {
  readonly #entries = new Map<number, NodeListenEntry>();
  #nextHandle = 1;

  async openListenSocket(
    address: SocketAddress,
    options: ListenSocketOptions,
  ): Promise<OpenListenSocketResult> {
    const missing = missingCapability(options);
    if (missing) return { ok: false, error: cannotBind(address, missing) };
    const entry = new NodeListenEntry();
    try {
      await entry.bind(address, options);
    } catch (error) {
      return { ok: false, error: cannotBind(address, systemWords(error)) };
    }
    const handle = this.#nextHandle++;
    this.#entries.set(handle, entry);
    return { ok: true, socket: this.#owned(handle, entry, address) };
  }

  /** The reactor's way in. */
  entry(handle: number): NodeListenEntry | undefined {
    return this.#entries.get(handle);
  }

  #owned(handle: number, entry: NodeListenEntry, address: SocketAddress): OwnedListenSocket {
    return {
      ref: { handle, localAddress: entry.localAddress(address) },
      startListening: () => {
        entry.start();
        return undefined;
      },
      disown: () => false,
      // Descriptors are not passed on this reactor.
      shareWith: () => {},
      isHeldBy: () => false,
      listenAgain: () => {},
      close: () => {
        this.#entries.delete(handle);
        entry.close();
      },
    };
  }
}

/** Connections that wait here at most, beside those in the kernel's queue. */
const waitingMax = 512;

export class NodeListenEntry {
  // Reading starts when somebody adopts the connection.
  readonly #server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  readonly #waiting: net.Socket[] = [];
  #isStarted = false;
  #take: ((socket: net.Socket) => void) | null = null;

  constructor() {
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    // After the bind only accept(2) can fail; the next connection tries again.
    this.#server.on("error", () => {});
  }

  bind(address: SocketAddress, options: ListenSocketOptions): Promise<void> {
    const { backlog, ipv6Only } = options;
    if (address.kind === "pipe") return this.#bindPath(address.path, address.mode, backlog);
    const reusePort = options.reusePort && process.platform === "linux";
    const host = address.ip;
    return this.#listen({ host, port: address.port, backlog, ipv6Only, reusePort });
  }

  localAddress(asked: SocketAddress): SocketAddress {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") return asked;
    return { kind: "ip", ip: bound.address, port: bound.port };
  }

  start(): void {
    this.#isStarted = true;
    this.drain();
  }

  /** Who takes connections from now on. */
  takeWith(take: (socket: net.Socket) => void): void {
    this.#take = take;
    this.drain();
  }

  /** They wait from now on, unless somebody else took over. */
  stopTaking(take: (socket: net.Socket) => void): void {
    if (this.#take === take) this.#take = null;
  }

  /** Hands over what waits; how many. */
  drain(take = this.#take): number {
    if (!this.#isStarted || take === null) return 0;
    const batch = this.#waiting.splice(0);
    for (const socket of batch) take(socket);
    return batch.length;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #onConnection(socket: net.Socket): void {
    if (this.#isStarted && this.#take !== null) this.#take(socket);
    else if (this.#waiting.length < waitingMax) this.#waiting.push(socket);
    else socket.destroy();
  }

  async #bindPath(path: string, mode: number, backlog: number): Promise<void> {
    if (path.startsWith("@")) {
      await this.#listen({ path: `\0${path.slice(1)}`, backlog });
      return;
    }
    // A socket file outlives its socket.
    rmSync(path, { force: true });
    await this.#listen({ path, backlog });
    if (mode !== 0) chmodSync(path, mode);
  }

  #listen(options: net.ListenOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ ...options, exclusive: true }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }
}

function missingCapability(options: ListenSocketOptions): string | undefined {
  const isMissing =
    options.freebind ||
    options.transparent ||
    options.keepAlive !== undefined ||
    options.socketOptions.length > 0;
  return isMissing ? "socket options need the epoll reactor" : undefined;
}

function cannotBind(address: SocketAddress, why: string): string {
  return `cannot bind '${formatAddress(address)}': ${why}`;
}

/** strerror's words, which differ from libuv's in one case that matters. */
function systemWords(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === "EADDRNOTAVAIL") return "Cannot assign requested address";
  if (errno === undefined) return messageOf(error);
  const words = getSystemErrorMessage(errno) ?? messageOf(error);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
