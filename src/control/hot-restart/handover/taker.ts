/**
 * The process that takes over, up to the moment that it serves (MOSN: `reconfigure`'s new side). It holds the same sockets
 * as the old one and may end at any time as if it had never been; the old one is asked to drain by `commit` alone.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import {
  DescriptorServer,
  type DescriptorStream,
  type StreamPeer,
} from "../../../shared/io/descriptor-stream.ts";
import { errnoOf, strerror } from "../../../shared/io/syscalls.ts";
import {
  type HandoverParts,
  answerMsMax,
  greeting,
  handoverSocketMode,
  isTrusted,
  listenPath,
  reconfigPath,
  servesByte,
} from "./directory.ts";
import { ConnectionReceiver, type TakenService } from "../moves/connection-receiver.ts";
import type { ElderListener } from "../reports/elder-listener.ts";
import type { MoveMessage } from "../moves/move-messages.ts";
import { PassedSockets } from "./passed-sockets.ts";
import { type PassedSocket, MessageReader, encodeMessage, socketsMax } from "./messages.ts";

export type TakerResult =
  | { readonly ok: true; readonly taker: HandoverTaker }
  /** Nothing is held then. */
  | { readonly ok: false; readonly error: string };

interface Received {
  readonly sockets: PassedSocket[];
  readonly descriptors: number[];
}

/** Of what is awaited now; with the reason where it does not come. */
type EndWait = (reason: string | undefined) => void;

export class HandoverTaker implements Disposable {
  readonly #parts: HandoverParts;
  readonly #server: DescriptorServer;
  /** By role and address, for each of the old process's workers. */
  readonly #sockets = new PassedSockets();
  readonly #received: Received = { sockets: [], descriptors: [] };
  readonly #reader = new MessageReader();
  #total = Number.POSITIVE_INFINITY;
  #stream: DescriptorStream | undefined;
  #caller: DescriptorStream | undefined;
  #wait: EndWait | undefined;
  readonly #alone = Promise.withResolvers<void>();
  /** All sockets are there; what comes now are connections. */
  #isComplete = false;
  #isReleased = false;
  #receiver: ConnectionReceiver | undefined;
  #elder: ElderListener | undefined;

  private constructor(parts: HandoverParts, server: DescriptorServer) {
    this.#parts = parts;
    this.#server = server;
  }

  /** Takes the directory's turn, and the sockets of whoever serves there. */
  static async open(parts: HandoverParts): Promise<TakerResult> {
    const path = listenPath(parts.options);
    const server = DescriptorServer.listen(path, handoverSocketMode);
    if (server === errnoOf.EADDRINUSE)
      return { ok: false, error: `another process is starting at '${path}'` };
    if (typeof server === "number")
      return { ok: false, error: `cannot bind '${path}': ${strerror(server)}` };
    const taker = new HandoverTaker(parts, server);
    const error = await taker.#take();
    if (error === undefined) return { ok: true, taker };
    taker[Symbol.dispose]();
    return { ok: false, error };
  }

  /** An old process serves, which would go on if this one ended. */
  get hasParent(): boolean {
    return this.#stream !== undefined && !this.#isReleased;
  }

  /** The old process has ended before it was asked to drain. */
  whenAlone(): Promise<void> {
    return this.#stream ? this.#alone.promise : Promise.resolve();
  }

  takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
  ): Promise<readonly number[]> {
    return Promise.resolve(this.#sockets.take("proxy", address, { worker, isLast }));
  }

  /** Of the old process's admin, if it is at that address; the caller's from now on. */
  takeAdminSocket(address: SocketAddress): number | undefined {
    return this.#sockets.take("admin", address, { worker: 0, isLast: true })[0];
  }

  /**
   * This process serves: the old one gives up its admin and drains. A text: why it must not, as another process serves
   * that does not know of it.
   */
  async commit(service: TakenService): Promise<string | undefined> {
    const stream = this.#stream;
    if (!stream) return this.#otherServes();
    const receiver = new ConnectionReceiver(stream, this.#parts.clock, service);
    this.#receiver = receiver;
    this.#elder = service.elder;
    stream.send(Uint8Array.of(servesByte));
    void receiver.mark();
    const late = await this.#await("it does not answer");
    if (!this.#isReleased && late === endReason) return this.#otherServes();
    if (!this.#isReleased)
      this.#parts.log.warning("hand-over: the old process has not said that it drains");
    this.#isReleased = true;
    return undefined;
  }

  /** This process is being taken over from: the one before, if it drains yet, takes nothing back any more. */
  succeeded(): void {
    this.#stream?.send(encodeMessage({ kind: "succeeded" }));
  }

  /** Others may start here; sockets that nobody has taken are closed. Connections go on coming. */
  endStart(): void {
    this.#caller?.[Symbol.dispose]();
    this.#closeUnwanted();
    this.#server[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#lose(endReason);
    this.endStart();
  }

  async #take(): Promise<string | undefined> {
    const { options, uid, log, clock } = this.#parts;
    const path = reconfigPath(options);
    const startMs = clock.now();
    const caller = this.#server.connect(path);
    if (caller === errnoOf.ENOENT || caller === errnoOf.ECONNREFUSED) return undefined;
    if (typeof caller === "number") return `cannot dial '${path}': ${strerror(caller)}`;
    this.#caller = caller;
    const { peer } = caller;
    if (!peer || !isTrusted(peer, uid)) return `'${path}' is of user ${peer?.uid ?? "unknown"}`;
    this.#acceptFrom(peer);
    let isTaken = false;
    caller.onPiece((piece) => {
      if (piece.kind === "end") return this.#end(`${endReason} at '${path}'`);
      closeDescriptors(piece.descriptors);
      isTaken ||= piece.bytes[0] === greeting.taken;
      if (isTaken) this.#end("taken");
    });
    const failed = await this.#await("it has not sent its sockets");
    if (isTaken) return `the process at '${path}' is being taken over by another one`;
    if (failed === undefined) {
      const tookMs = Math.ceil(clock.now() - startMs);
      log.info(`hand-over: ${this.#total} sockets of process ${peer.pid} in ${tookMs} ms`);
      return undefined;
    }
    log.warning(`hand-over: the old process is lost, starting without it: ${failed}`);
    this.#lose(failed);
    closeDescriptors(this.#received.descriptors.splice(0));
    return undefined;
  }

  /** Of whoever dials, the process that was dialed is the only one that is heard. */
  #acceptFrom(peer: StreamPeer): void {
    this.#server.onStream((stream) => {
      if (this.#stream || stream.peer?.pid !== peer.pid) return stream[Symbol.dispose]();
      this.#stream = stream;
      stream.onPiece((piece) => {
        if (piece.kind === "end") return this.#lose(endReason);
        this.#received.descriptors.push(...piece.descriptors);
        this.#read(piece.bytes);
      });
    });
  }

  #read(bytes: Uint8Array): void {
    const read = this.#reader.read(bytes);
    if (!read.ok) return this.#lose(read.reason);
    for (const message of read.messages) {
      if (message.kind === "released") {
        this.#isReleased = true;
        this.#end(undefined);
        continue;
      }
      if (message.kind === "connections") {
        this.#receive(message);
        continue;
      }
      if (message.kind === "drains" || message.kind === "stats") this.#elder?.hear(message);
      if (message.kind !== "sockets") continue;
      this.#total = Math.min(message.total, socketsMax);
      this.#received.sockets.push(...message.sockets);
    }
    this.#sort();
  }

  /** The next batch comes when this one is answered: all descriptors that are here are of this one. */
  #receive(message: Extract<MoveMessage, { kind: "connections" }>): void {
    const descriptors = this.#received.descriptors.splice(0);
    if (!this.#receiver) return closeDescriptors(descriptors);
    void this.#receiver
      .receive(message, descriptors)
      .catch((error: unknown) => this.#parts.log.error(`hand-over: ${String(error)}`));
  }

  /** All are there: each to its address. */
  #sort(): void {
    const { sockets, descriptors } = this.#received;
    if (this.#isComplete || sockets.length < this.#total) return;
    this.#isComplete = true;
    if (sockets.length !== this.#total || descriptors.length !== this.#total)
      return this.#lose(`${descriptors.length} descriptors came for ${this.#total} sockets`);
    for (const [i, descriptor] of descriptors.splice(0).entries()) {
      const socket = sockets[i];
      if (socket) this.#sockets.add(socket, descriptor);
    }
    this.#end(undefined);
  }

  /** Whether the directory is another's, who has given up on this process or never knew it. */
  #otherServes(): string | undefined {
    const path = reconfigPath(this.#parts.options);
    const probe = this.#server.connect(path);
    if (typeof probe === "number") return undefined;
    probe[Symbol.dispose]();
    return `another process serves at '${path}'`;
  }

  #closeUnwanted(): void {
    this.#sockets[Symbol.dispose]();
    closeDescriptors(this.#received.descriptors.splice(0));
  }

  async #await(lateReason: string): Promise<string | undefined> {
    const ended = Promise.withResolvers<string | undefined>();
    this.#wait = ended.resolve;
    using _timer = this.#parts.clock.startTimer(answerMsMax, () => ended.resolve(lateReason));
    return await ended.promise;
  }

  #end(reason: string | undefined): void {
    this.#wait?.(reason);
    this.#wait = undefined;
  }

  #lose(reason: string): void {
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
    this.#alone.resolve();
    this.#elder?.gone();
    // Of a message that did not come to its end.
    if (this.#isComplete) closeDescriptors(this.#received.descriptors.splice(0));
    this.#end(reason);
  }
}

const endReason = "it has ended";
