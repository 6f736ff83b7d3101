/**
 * One end of the datagrams between generations: frames them, refuses other users' and whatever is no message, and waits
 * while the other's queue is full. A descriptor that comes with something refused is closed: it is nobody's.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import {
  type Datagram,
  type DescriptorSocket,
  closeDescriptors,
} from "../../shared/io/descriptor-socket.ts";
import { errnoOf } from "../../shared/io/syscalls.ts";
import { FrameReader, frame } from "./frames.ts";
import type { HotRestartMessage, MessageCodec } from "./message-codec.ts";

/** Between two tries while the other's queue is full (net.unix.max_dgram_qlen, 10 by default). */
const retryMs = 2;
/** A peer that has not read for so long is not waited for any more. */
const sendMsMax = 5_000;

export type HandleMessage = (message: HotRestartMessage, descriptors: readonly number[]) => void;

export interface MessageSocketParts {
  readonly codec: MessageCodec;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whose messages are taken, besides the superuser's. */
  readonly uid: number;
}

export class MessageSocket implements Disposable {
  readonly #socket: DescriptorSocket;
  readonly #parts: MessageSocketParts;
  readonly #frames = new FrameReader();
  #sending: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(socket: DescriptorSocket, parts: MessageSocketParts) {
    this.#socket = socket;
    this.#parts = parts;
  }

  /** What cannot be read is an empty message to `handle`: it is answered as not recognized. */
  onMessage(handle: HandleMessage): void {
    this.#socket.onDatagram((datagram) => {
      try {
        this.#read(datagram, handle);
      } catch (error) {
        // Thrown through a foreign call, it would end the process.
        this.#parts.log.error(`hot restart: a message could not be handled: ${String(error)}`);
      }
    });
  }

  /** After all that was sent before it. 0, or the errno why it was given up. */
  send(to: string, message: Uint8Array, descriptor?: number): Promise<number> {
    const sent = this.#sending.then(() => this.#sendFrame(to, message, descriptor));
    this.#sending = sent;
    return sent;
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket[Symbol.dispose]();
  }

  async #sendFrame(to: string, message: Uint8Array, descriptor?: number): Promise<number> {
    const { clock } = this.#parts;
    const deadline = clock.now() + sendMsMax;
    for (const chunk of frame(message)) {
      for (;;) {
        if (this.#isClosed) return errnoOf.ECONNREFUSED;
        const error = this.#socket.send(to, chunk, descriptor);
        if (error === 0) break;
        if (error !== errnoOf.EAGAIN || clock.now() > deadline) return error;
        await new Promise<void>((resolve) => void clock.startTimer(retryMs, resolve));
      }
    }
    return 0;
  }

  #read({ bytes, descriptors, uid, isCut }: Datagram, handle: HandleMessage): void {
    const { log, codec } = this.#parts;
    const refuse = (reason: string): void => {
      closeDescriptors(descriptors);
      log.warning(`hot restart: refused a message: ${reason}`);
    };
    if (uid !== this.#parts.uid && uid !== 0)
      return refuse(`it is from user ${uid}, not ${this.#parts.uid}`);
    if (isCut) return refuse("it was cut short");
    const read = this.#frames.read(bytes);
    if (read.kind === "more") return closeDescriptors(descriptors);
    if (read.kind === "garbage") return refuse(read.reason);
    const message = codec.read(read.bytes);
    if (!message.ok) return refuse(message.errors.join("; "));
    handle(message.value, descriptors);
  }
}
