/**
 * The new process, as the old one sees it while it drains: whose connections it serves on, and how they get there.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { Clock } from "../../../shared/common/clock.ts";
import {
  type DescriptorStream,
  type StreamPiece,
  descriptorsPerSendMax,
} from "../../../shared/io/descriptor-stream.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { MessageReader, encodeMessage, socketsMax } from "./messages.ts";
import { sendAll } from "../patient-sender.ts";
import { addressText } from "../socket-names.ts";

/** For the new process to say which listeners it has; without that no connection moves. */
const marksMsMax = 1_000;

export class HandoverSuccessor {
  readonly #stream: DescriptorStream;
  readonly #clock: Clock;
  readonly #reader = new MessageReader();
  readonly #hashes = new Map<string, string>();
  readonly #marked = Promise.withResolvers<void>();
  #sending: Promise<unknown> = Promise.resolve();
  #isLost = false;

  constructor(stream: DescriptorStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  read(piece: StreamPiece): void {
    if (piece.kind === "end") return this.#lose();
    closeDescriptors(piece.descriptors);
    const read = this.#reader.read(piece.bytes);
    if (!read.ok) return this.#lose();
    for (const message of read.messages) {
      if (message.kind !== "accepts") continue;
      for (const { address, hash } of message.listeners)
        if (this.#hashes.size < socketsMax) this.#hashes.set(address, hash);
      if (message.isLast) this.#marked.resolve();
    }
  }

  /** It has said which listeners it has, or does not say it. */
  async whenMarked(): Promise<void> {
    using _timer = this.#clock.startTimer(marksMsMax, this.#marked.resolve);
    await this.#marked.promise;
  }

  hashAt(address: SocketAddress): string | undefined {
    return this.#isLost ? undefined : this.#hashes.get(addressText(address));
  }

  /** How many, the first ones, are the new process's; the others are still the caller's. */
  send(address: SocketAddress, descriptors: readonly number[]): Promise<number> {
    const sent = this.#sending.then(() => this.#sendNow(address, descriptors));
    this.#sending = sent;
    return sent;
  }

  async #sendNow(address: SocketAddress, descriptors: readonly number[]): Promise<number> {
    for (let at = 0; at < descriptors.length; at += descriptorsPerSendMax) {
      const some = descriptors.slice(at, at + descriptorsPerSendMax);
      const frame = encodeMessage({
        kind: "connections",
        address: addressText(address),
        count: some.length,
      });
      const error = this.#isLost ? 1 : await sendAll(this.#stream, frame, some, this.#clock);
      if (error !== 0) {
        this.#lose();
        return at;
      }
      closeDescriptors(some);
    }
    return descriptors.length;
  }

  #lose(): void {
    this.#isLost = true;
    this.#marked.resolve();
    this.#stream[Symbol.dispose]();
  }
}
