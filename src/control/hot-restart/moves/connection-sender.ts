/**
 * The new process, as the old one sees it while it drains: whose connections it serves on, and how they get there.
 *
 * What a newcomer would get wrong: a batch is ours until it is `taken`. What of it was not when the other ends, or does not
 * answer, was never served there: it comes back. After a word that may still come nothing would be certain, so
 * whoever is late is not heard any more, but for what it has said by then.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { Clock } from "../../../shared/common/clock.ts";
import type { DescriptorStream, StreamPiece } from "../../../shared/io/descriptor-stream.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { type MovedConnection, descriptorsOf } from "../../../shared/protocol/moved-connection.ts";
import { MessageReader, encodeMessage, socketsMax } from "../handover/messages.ts";
import type { SocketFrame } from "../handover/socket-frames.ts";
import { sendAll } from "../patient-sender.ts";
import type { ReportMessage } from "../reports/report-messages.ts";
import { addressText } from "../socket-names.ts";
import { type Batch, batchesOf } from "./connection-batches.ts";
import { type MoveMessage, movesVersion } from "./move-messages.ts";

/** For the new process to say which listeners it has; without that no connection moves. */
const marksMsMax = 1_000;
/** For a batch to be taken. */
const takenMsMax = 5_000;

/** Undefined: the other is lost, and has taken nothing of the batch. */
type Taken = ReadonlySet<number> | undefined;

/** What the new process says beside that. */
export interface SiblingWords {
  /** It is taken over from in turn. */
  readonly onSucceeded?: () => void;
  /** It is starting, by epochs. */
  readonly onWantsSockets?: () => void;
}

export class ConnectionSender {
  readonly #stream: DescriptorStream;
  readonly #clock: Clock;
  readonly #words: SiblingWords;
  readonly #reader = new MessageReader();
  readonly #hashes = new Map<string, string>();
  readonly #marked = Promise.withResolvers<void>();
  #sending: Promise<unknown> = Promise.resolve();
  #batch = 0;
  #onTaken: ((refused: Taken) => void) | undefined;
  #isLost = false;

  constructor(stream: DescriptorStream, clock: Clock, words: SiblingWords = {}) {
    this.#stream = stream;
    this.#clock = clock;
    this.#words = words;
  }

  read(piece: StreamPiece): void {
    if (piece.kind === "end") return this.#lose();
    closeDescriptors(piece.descriptors);
    if (this.#isLost) return;
    const read = this.#reader.read(piece.bytes);
    if (!read.ok) return this.#lose();
    for (const message of read.messages) {
      if (message.kind === "accepts") this.#mark(message);
      if (message.kind === "succeeded") this.#words.onSucceeded?.();
      if (message.kind === "wantsSockets") this.#words.onWantsSockets?.();
      if (message.kind === "taken" && message.batch === this.#batch)
        this.#onTaken?.(new Set(message.refused));
    }
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** It has said which listeners it has, or does not say it. */
  async whenMarked(): Promise<void> {
    using _timer = this.#clock.startTimer(marksMsMax, this.#marked.resolve);
    await this.#marked.promise;
  }

  hashAt(address: SocketAddress): string | undefined {
    return this.#hashes.get(addressText(address));
  }

  /** Those that are not the new process's: still open, and the caller's. */
  send(
    address: SocketAddress,
    connections: readonly MovedConnection[],
  ): Promise<readonly MovedConnection[]> {
    const sent = this.#sending.then(() => this.#sendNow(address, connections));
    this.#sending = sent;
    return sent;
  }

  /** Listening sockets, which stay ours, too. */
  sendSockets(frames: Iterable<SocketFrame>): Promise<void> {
    const sent = this.#sending.then(async () => {
      for (const { bytes, descriptors } of frames) {
        if (this.#isLost) return;
        const error = await sendAll(this.#stream, bytes, descriptors, this.#clock);
        if (error !== 0) this.#lose();
      }
    });
    this.#sending = sent;
    return sent;
  }

  /** Between batches. Nothing happens where the other is lost. */
  tell(message: ReportMessage): Promise<void> {
    const sent = this.#sending.then(async () => {
      if (this.#isLost) return;
      const error = await sendAll(this.#stream, encodeMessage(message), [], this.#clock);
      if (error !== 0) this.#lose();
    });
    this.#sending = sent;
    return sent;
  }

  async #sendNow(
    address: SocketAddress,
    connections: readonly MovedConnection[],
  ): Promise<readonly MovedConnection[]> {
    const { batches, kept } = batchesOf(connections);
    for (const batch of batches) {
      const refused = this.#isLost ? undefined : await this.#sendBatch(address, batch);
      for (const [i, moved] of batch.connections.entries())
        if (refused === undefined || refused.has(i)) kept.push(moved);
        else closeDescriptors(descriptorsOf(moved));
    }
    return kept;
  }

  async #sendBatch(address: SocketAddress, { connections, told }: Batch): Promise<Taken> {
    const batch = ++this.#batch;
    const frame = encodeMessage({
      kind: "connections",
      batch,
      address: addressText(address),
      connections: told,
    });
    const taken = Promise.withResolvers<Taken>();
    this.#onTaken = taken.resolve;
    using _timer = this.#clock.startTimer(takenMsMax, () => this.#stream.stopReceiving());
    const error = await sendAll(
      this.#stream,
      frame,
      connections.flatMap(descriptorsOf),
      this.#clock,
    );
    // Of half a message nothing is taken.
    if (error !== 0) this.#lose();
    return await taken.promise;
  }

  #mark({ version, listeners, isLast }: Extract<MoveMessage, { kind: "accepts" }>): void {
    if (version === movesVersion)
      for (const { address, hash } of listeners)
        if (this.#hashes.size < socketsMax) this.#hashes.set(address, hash);
    if (isLast) this.#marked.resolve();
  }

  #lose(): void {
    this.#isLost = true;
    this.#marked.resolve();
    // Its end is still to come, for whoever waits for that.
    this.#stream.stopReceiving();
    this.#onTaken?.(undefined);
  }
}
