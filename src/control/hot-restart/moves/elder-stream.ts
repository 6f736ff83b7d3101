/**
 * The parent by epochs, if it is a Sluice, over the stream that an Envoy does not have: it gives all its sockets at once,
 * where one is asked for at a time over Envoy's datagrams, and later on connections, and tells of its drains.
 */
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { DescriptorStream, type StreamPiece } from "../../../shared/io/descriptor-stream.ts";
import { answerMsMax, isTrusted } from "../handover/directory.ts";
import {
  type HandoverMessage,
  type PassedSocket,
  MessageReader,
  encodeMessage,
  socketsMax,
} from "../handover/messages.ts";
import { PassedSockets } from "../handover/passed-sockets.ts";
import { sendAll } from "../patient-sender.ts";
import { ConnectionReceiver, type TakenService } from "./connection-receiver.ts";
import type { SiblingParts } from "./sibling-stream.ts";

/** The sockets that are on their way. */
interface Taking {
  readonly sockets: PassedSocket[];
  readonly end: (isComplete: boolean) => void;
}

export class ElderStream implements Disposable {
  readonly #parts: SiblingParts;
  readonly #stream: DescriptorStream;
  readonly #reader = new MessageReader();
  /** Of the message that comes next. */
  readonly #descriptors: number[] = [];
  #taking: Taking | undefined;
  #served: { readonly service: TakenService; readonly receiver: ConnectionReceiver } | undefined;
  #isOver = false;

  private constructor(stream: DescriptorStream, parts: SiblingParts) {
    this.#stream = stream;
    this.#parts = parts;
    stream.onPiece((piece) => this.#read(piece));
  }

  /** Undefined: there is no such parent, or it is of another user. */
  static dial(name: string, parts: SiblingParts): ElderStream | undefined {
    const stream = DescriptorStream.connect(name);
    if (typeof stream === "number") return undefined;
    if (isTrusted(stream.peer, parts.uid)) return new ElderStream(stream, parts);
    parts.log.warning(`hot restart: '${name}' is of user ${stream.peer?.uid ?? "unknown"}`);
    stream[Symbol.dispose]();
    return undefined;
  }

  /** Those that it listens on. Undefined: they have not come, and each is to be asked for. */
  async takeSockets(): Promise<PassedSockets | undefined> {
    const { clock } = this.#parts;
    const ended = Promise.withResolvers<boolean>();
    const sockets: PassedSocket[] = [];
    this.#taking = { sockets, end: ended.resolve };
    using _timer = clock.startTimer(answerMsMax, () => ended.resolve(false));
    const asked = await sendAll(this.#stream, encodeMessage({ kind: "wantsSockets" }), [], clock);
    const isComplete = asked === 0 && (await ended.promise);
    this.#taking = undefined;
    const descriptors = this.#descriptors.splice(0);
    if (!isComplete || descriptors.length !== sockets.length) {
      closeDescriptors(descriptors);
      return undefined;
    }
    const passed = new PassedSockets();
    for (const [i, socket] of sockets.entries()) passed.add(socket, descriptors[i] ?? -1);
    return passed;
  }

  /** Resolves when it knows whose connections are served on here. */
  async serve(service: TakenService): Promise<void> {
    const receiver = new ConnectionReceiver(this.#stream, this.#parts.clock, service);
    this.#served = { service, receiver };
    if (this.#isOver) return service.elder.gone();
    await receiver.mark();
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }

  #read(piece: StreamPiece): void {
    if (piece.kind === "end") return this.#end();
    this.#descriptors.push(...piece.descriptors);
    const read = this.#reader.read(piece.bytes);
    if (read.ok) {
      for (const message of read.messages) this.#handle(message);
      return;
    }
    this.#parts.log.warning(`hot restart: the parent is not heard any more: ${read.reason}`);
    this.#stream[Symbol.dispose]();
    this.#end();
  }

  #handle(message: HandoverMessage): void {
    const { receiver, service } = this.#served ?? {};
    if (message.kind === "sockets") return this.#take(message);
    if (message.kind === "drains" || message.kind === "stats" || message.kind === "empty")
      return service?.elder.hear(message);
    if (message.kind !== "connections") return;
    const descriptors = this.#descriptors.splice(0);
    if (!receiver) return closeDescriptors(descriptors);
    void receiver
      .receive(message, descriptors)
      .catch((error: unknown) => this.#parts.log.error(`hot restart: ${String(error)}`));
  }

  #take({ sockets, total }: Extract<HandoverMessage, { kind: "sockets" }>): void {
    const taking = this.#taking;
    if (!taking) return closeDescriptors(this.#descriptors.splice(0));
    taking.sockets.push(...sockets);
    if (taking.sockets.length >= Math.min(total, socketsMax))
      taking.end(taking.sockets.length === total);
  }

  #end(): void {
    this.#isOver = true;
    if (this.#taking) this.#taking.end(false);
    else closeDescriptors(this.#descriptors.splice(0));
    this.#served?.service.elder.gone();
  }
}
