/**
 * A head that its body follows, kept for the rest of the round: clients of HTTP/2 send the heads of many requests before the
 * first of their bodies, and head and body together cost one system call, not two.
 */
import { arenaLayout } from "../../../shared/io/arena.ts";
import type { OutputOwner } from "../../../shared/io/output-buffers.ts";
import type { Reactor, Socket } from "../../../shared/io/reactor.ts";

const none = -1;

export class GatheredOutput implements OutputOwner {
  readonly #reactor: Reactor;
  readonly #socket: () => Socket;
  #start = none;
  #at = 0;

  constructor(reactor: Reactor, socket: () => Socket) {
    this.#reactor = reactor;
    this.#socket = socket;
  }

  /** Sends arena[start, end) behind what is kept; `isMoreDue`: at the end of the round, with what comes until then. */
  write(start: number, end: number, isMoreDue: boolean): void {
    const length = end - start;
    if (this.#start === none && isMoreDue && length <= arenaLayout.outputBytes) {
      this.#start = this.#reactor.outputs.take(this);
      this.#at = this.#start;
    }
    if (this.#start !== none && this.#at + length > this.#start + arenaLayout.outputBytes)
      this.flushOutput();
    if (this.#start === none) {
      this.#socket().write(start, end);
      return;
    }
    this.#reactor.arena.bytes.copyWithin(this.#at, start, end);
    this.#at += length;
  }

  flushOutput(): void {
    const start = this.#start;
    if (start === none) return;
    this.discard();
    this.#socket().write(start, this.#at);
  }

  /** What is kept goes nowhere any more. */
  discard(): void {
    if (this.#start === none) return;
    this.#start = none;
    this.#reactor.outputs.give(this);
  }
}
