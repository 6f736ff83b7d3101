/**
 * What generations say to each other by epochs that Envoy does not know, connections that move first of all: over a stream
 * beside Envoy's datagrams, at a name that no Envoy has and none calls. So an Envoy on either side never hears a word of it,
 * and two Sluices say what they say by a directory, too.
 */
import type { Clock } from "../../../shared/common/clock.ts";
import type { Logger } from "../../../shared/common/log.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { DescriptorServer, DescriptorStream } from "../../../shared/io/descriptor-stream.ts";
import { strerror } from "../../../shared/io/syscalls.ts";
import type { HotRestartOptions } from "../hot-restart-options.ts";
import { isTrusted } from "../handover/directory.ts";
import { type OwnSocket, framesOf } from "../handover/socket-frames.ts";
import { MessageReader, encodeMessage } from "../handover/messages.ts";
import { ConnectionSender } from "./connection-sender.ts";

export interface SiblingParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this process: whose peers are heard, besides the superuser's. */
  readonly uid: number;
}

export interface SiblingServerParts extends SiblingParts {
  readonly sockets: (pid: number) => readonly OwnSocket[];
}

/** For whoever is dialled to say which epoch it is. */
const helloMsMax = 1_000;

/** Where the next generation dials while this one serves. */
export class SiblingServer implements Disposable {
  readonly #parts: SiblingServerParts;
  readonly #hello: Uint8Array;
  readonly #server: DescriptorServer;
  #taker: ConnectionSender | undefined;

  private constructor(server: DescriptorServer, epoch: number, parts: SiblingServerParts) {
    this.#server = server;
    this.#parts = parts;
    this.#hello = encodeMessage({ kind: "hello", epoch });
  }

  /** Undefined, and said in the log: connections stay. `sockets`: all that there are, for the process `pid`. */
  static open(
    name: string,
    { epoch, socketMode }: Pick<HotRestartOptions, "epoch" | "socketMode">,
    parts: SiblingServerParts,
  ): SiblingServer | undefined {
    const server = DescriptorServer.listen(name, socketMode);
    if (typeof server === "number") {
      parts.log.warning(`hot restart: no connection can move: '${name}': ${strerror(server)}`);
      return undefined;
    }
    const siblings = new SiblingServer(server, epoch, parts);
    server.onStream((stream) => siblings.#accept(stream));
    return siblings;
  }

  /** The next generation, if it takes connections: an Envoy does not. */
  get taker(): ConnectionSender | undefined {
    return this.#taker?.isLost === false ? this.#taker : undefined;
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }

  #accept(stream: DescriptorStream): void {
    const { clock, log, uid } = this.#parts;
    const { peer } = stream;
    const isKnown = isTrusted(peer, uid);
    if (!isKnown) log.warning(`hot restart: refused user ${peer?.uid ?? "unknown"}`);
    if (isKnown) stream.send(this.#hello);
    if (!isKnown || this.taker) return stream[Symbol.dispose]();
    const taker = new ConnectionSender(stream, clock, {
      onWantsSockets: () => {
        if (peer) void taker.sendSockets(framesOf(this.#parts.sockets(peer.pid)));
      },
    });
    this.#taker = taker;
    stream.onPiece((piece) => taker.read(piece));
  }
}

/** Which epoch has the name; undefined: none, an Envoy, or nobody who says so. */
export async function epochAt(
  name: string,
  { clock, uid }: SiblingParts,
): Promise<number | undefined> {
  const stream = DescriptorStream.connect(name);
  if (typeof stream === "number") return undefined;
  using _stream = stream;
  if (!isTrusted(stream.peer, uid)) return undefined;
  const said = Promise.withResolvers<number | undefined>();
  using _timer = clock.startTimer(helloMsMax, () => said.resolve(undefined));
  const reader = new MessageReader();
  stream.onPiece((piece) => {
    if (piece.kind === "end") return said.resolve(undefined);
    closeDescriptors(piece.descriptors);
    const read = reader.read(piece.bytes);
    const hello = read.ok ? read.messages.find(({ kind }) => kind === "hello") : undefined;
    said.resolve(hello?.kind === "hello" ? hello.epoch : undefined);
  });
  return await said.promise;
}
