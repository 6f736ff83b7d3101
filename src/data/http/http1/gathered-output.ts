/**
 * A head that its body follows, kept for the rest of the round: clients of HTTP/2 send the heads of many requests before the
 * first of their bodies, and head and body together cost one system call, not two.
 */
import { arenaLayout } from "../../../shared/io/arena.ts";
import type { OutputOwner } from "../../../shared/io/output-buffers.ts";
import type { Reactor, Socket } from "../../../shared/io/reactor.ts";

const none = -1;

/** Whose output it is; the socket is there once it is asked for. */
interface SocketOwner {
  readonly socket: Socket;
}

export class GatheredOutput implements OutputOwner {
  readonly #reactor: Reactor;
  readonly #owner: SocketOwner;
  #start = none;
  #at = 0;

  constructor(reactor: Reactor, owner: SocketOwner) {
    this.#reactor = reactor;
    this.#owner = owner;
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
      this.#owner.socket.write(start, end);
      return;
    }
    this.#reactor.arena.bytes.copyWithin(this.#at, start, end);
    this.#at += length;
  }

  flushOutput(): void {
    const start = this.#start;
    if (start === none) return;
    this.discard();
    this.#owner.socket.write(start, this.#at);
  }

  /** What is kept goes nowhere any more. */
  discard(): void {
    if (this.#start === none) return;
    this.#start = none;
    this.#reactor.outputs.give(this);
  }
}
