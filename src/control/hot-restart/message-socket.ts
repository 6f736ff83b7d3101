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
import { type FrameRead, FrameReader, frame } from "./frames.ts";
import type { HotRestartMessage, MessageCodec } from "./message-codec.ts";

/** Between two tries while the other's queue is full (net.unix.max_dgram_qlen, 10 by default). */
const retryMs = 2;
/** A peer that has not read for so long is not waited for any more. */
const sendMsMax = 5_000;
/** Warnings in so much time at most: a sender of garbage must not fill the log. */
const warningsMax = 16;
const warningsMs = 1_000;

/** `pid`: the sender's. */
export type HandleMessage = (
  message: HotRestartMessage,
  descriptors: readonly number[],
  pid: number,
) => void;

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
  #warnings = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(socket: DescriptorSocket, parts: MessageSocketParts) {
    this.#socket = socket;
    this.#parts = parts;
  }

  /** What our user sends and cannot be read is an empty message to `handle`: it is answered as not recognized. */
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

  /** Whether anybody has the name; nothing is sent. */
  isThere(name: string): boolean {
    return !this.#isClosed && this.#socket.isThere(name);
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

  #read({ bytes, descriptors, sender, isCut }: Datagram, handle: HandleMessage): void {
    const { codec, uid } = this.#parts;
    const refuse = (reason: string): void => {
      closeDescriptors(descriptors);
      this.#sayRefused(reason);
    };
    if (sender === undefined) return refuse("nobody knows whose it is");
    if (sender.uid !== uid && sender.uid !== 0)
      return refuse(`it is from user ${sender.uid}, not ${uid}`);
    const read: FrameRead = isCut
      ? { kind: "garbage", reason: "it was cut short" }
      : this.#frames.read(bytes, sender.pid);
    if (read.kind === "more") return closeDescriptors(descriptors);
    const message = read.kind === "garbage" ? undefined : codec.read(read.bytes);
    if (message?.ok) return handle(message.value, descriptors, sender.pid);
    refuse(read.kind === "garbage" ? read.reason : (message?.errors.join("; ") ?? ""));
    handle(codec.empty(), [], sender.pid);
  }

  #sayRefused(reason: string): void {
    const { clock, log } = this.#parts;
    const now = clock.now();
    if (now >= this.#warnings.sinceMs + warningsMs) this.#warnings = { sinceMs: now, count: 0 };
    if (++this.#warnings.count > warningsMax) return;
    log.warning(`hot restart: refused a message: ${reason}`);
  }
}
