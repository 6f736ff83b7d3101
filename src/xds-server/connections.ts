/**
 * The sockets under the gRPC server. They are accepted here, so that one can be reset without a word, or made to
 * trickle; the library gets each as it would have accepted it.
 */
import type { ConnectionInjector } from "@grpc/grpc-js";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { Duplex, Transform } from "node:stream";
import type { Clock } from "../shared/common/clock.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { ServerTls } from "./server-tls.ts";

/** More clients than an embedded server is for. */
const connectionsMax = 10_000;
/** Of a connection that trickles; shorter than what anybody notices as a pause. */
const trickleMs = 20;

export interface ConnectionsOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  /** Bytes in a second that a new connection may be written to; `undefined`: as fast as it goes. */
  readonly rate: () => number | undefined;
  /** Undefined: in plain text. */
  readonly tls: ServerTls | undefined;
}

export class Connections implements AsyncDisposable {
  /** As bound; 0 on a Unix socket. */
  port = 0;
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #options: ConnectionsOptions;
  /** By the client's address, which is all that a stream tells of its connection. */
  readonly #sockets = new Map<string, Socket>();
  #unnamed = 0;

  static async listen(
    injector: ConnectionInjector,
    options: ConnectionsOptions,
  ): Promise<Connections> {
    const connections = new Connections(injector, options);
    connections.#server.listen(options.address);
    await once(connections.#server, "listening");
    const at = connections.#server.address();
    if (at !== null && typeof at === "object") connections.port = at.port;
    return connections;
  }

  private constructor(injector: ConnectionInjector, options: ConnectionsOptions) {
    this.#injector = injector;
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = connectionsMax;
  }

  /** `peer`: as the library names the far end. Those of a Unix socket have no names: all are reset. */
  reset(peer: string): void {
    const socket = this.#sockets.get(peer);
    if (socket) socket.resetAndDestroy();
    else this.resetAll();
  }

  resetAll(): void {
    for (const socket of this.#sockets.values()) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const { remoteAddress = "", remotePort = 0 } = socket;
    const peer = remotePort === 0 ? `unix ${++this.#unnamed}` : `${remoteAddress}:${remotePort}`;
    this.#sockets.set(peer, socket);
    socket.setNoDelay(true);
    socket.on("close", () => this.#sockets.delete(peer));
    // Whoever reads it handles its errors; this one is for the time before.
    socket.on("error", () => socket.destroy());
    const { tls } = this.#options;
    if (tls) tls.accept(socket, (secured) => this.#inject(secured));
    else this.#inject(socket);
  }

  #inject(socket: Socket): void {
    const rate = this.#options.rate();
    const connection = rate === undefined ? socket : trickling(socket, rate, this.#options.clock);
    this.#injector.injectConnection(connection);
  }
}

/** The socket, written to no faster than `bytesPerS`. */
function trickling(socket: Socket, bytesPerS: number, clock: Clock): Duplex {
  const portion = Math.max(1, Math.floor((bytesPerS * trickleMs) / 1000));
  const throttle = new Transform({
    transform(chunk: Buffer, _, done) {
      const next = (from: number): void => {
        if (from >= chunk.length) return done();
        this.push(chunk.subarray(from, from + portion));
        clock.startTimer(trickleMs, () => next(from + portion));
      };
      next(0);
    },
  });
  throttle.pipe(socket);
  socket.on("close", () => throttle.destroy());
  return Duplex.from({ readable: socket, writable: throttle });
}
