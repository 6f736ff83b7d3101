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
import { isTrusted } from "../handover/directory.ts";
import { MessageReader } from "../handover/messages.ts";
import { ConnectionReceiver, type TakenService } from "./connection-receiver.ts";
import { ConnectionSender } from "./connection-sender.ts";

export interface SiblingParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this process: whose peers are heard, besides the superuser's. */
  readonly uid: number;
}

/** Where the next generation dials while this one serves. */
export class SiblingServer implements Disposable {
  readonly #parts: SiblingParts;
  readonly #server: DescriptorServer;
  #taker: ConnectionSender | undefined;

  private constructor(server: DescriptorServer, parts: SiblingParts) {
    this.#server = server;
    this.#parts = parts;
  }

  /** Undefined, and said in the log: connections stay. */
  static open(name: string, mode: number, parts: SiblingParts): SiblingServer | undefined {
    const server = DescriptorServer.listen(name, mode);
    if (typeof server === "number") {
      parts.log.warning(`hot restart: no connection can move: '${name}': ${strerror(server)}`);
      return undefined;
    }
    const siblings = new SiblingServer(server, parts);
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
    if (!isKnown || this.taker) return stream[Symbol.dispose]();
    const taker = new ConnectionSender(stream, clock);
    this.#taker = taker;
    stream.onPiece((piece) => taker.read(piece));
  }
}

/** Resolves when the parent knows whose connections are served on here. Undefined: it gives none. */
export async function dialSibling(
  name: string,
  service: TakenService,
  { clock, log, uid }: SiblingParts,
): Promise<Disposable | undefined> {
  const stream = DescriptorStream.connect(name);
  if (typeof stream === "number") return undefined;
  if (!isTrusted(stream.peer, uid)) {
    log.warning(`hot restart: '${name}' is of user ${stream.peer?.uid ?? "unknown"}`);
    stream[Symbol.dispose]();
    return undefined;
  }
  const receiver = new ConnectionReceiver(stream, clock, service);
  const reader = new MessageReader();
  const descriptors: number[] = [];
  stream.onPiece((piece) => {
    if (piece.kind === "end") return closeDescriptors(descriptors.splice(0));
    descriptors.push(...piece.descriptors);
    const read = reader.read(piece.bytes);
    if (!read.ok) {
      log.warning(`hot restart: no more connections are taken: ${read.reason}`);
      closeDescriptors(descriptors.splice(0));
      return stream[Symbol.dispose]();
    }
    for (const message of read.messages)
      if (message.kind === "connections")
        void receiver
          .receive(message, descriptors.splice(0))
          .catch((error: unknown) => log.error(`hot restart: ${String(error)}`));
  });
  await receiver.mark();
  return stream;
}
