/**
 * Accepting on a socket that the main thread owns. Level-triggered, and EPOLLEXCLUSIVE because the
 * same descriptor is in every worker's set. (Worker sets are nested in libuv's, where the kernel wakes
 * all of them all the same; who comes late finds the queue empty, which is harmless.)
 */
import type { AcceptHandler, ListenRegistration } from "./reactor.ts";
import { accept4, close, errno, errnoName, errnoOf, linux, shutdown } from "./syscalls.ts";
import { TimerSlot } from "./timer-wheel.ts";

/** As Envoy's listeners: long enough for descriptors to come free, short enough not to be felt. */
const pauseMs = 100;
/** Bound of one `drainQueue`: no backlog is longer, as the kernel caps it at net.core.somaxconn. */
const drainMax = 65_536;

export interface AcceptLoop {
  startAccepting(registration: EpollListen): void;
  /** Returns after the descriptor has left the set. */
  stopAccepting(registration: EpollListen): void;
  forget(registration: EpollListen): void;
  /** No memory for further connections: closes the descriptor with RST and counts it. */
  refuseIfExhausted(fd: number): boolean;
  armPause(slot: TimerSlot, delayMs: number): void;
  cancelPause(slot: TimerSlot): void;
  bug(error: unknown): void;
}

/** `superseded`: another registration of the same descriptor took over; it owns the place in the set. */
type ListenState = "accepting" | "paused" | "superseded" | "stopped";

export class EpollListen implements ListenRegistration {
  readonly fd: number;
  readonly #loop: AcceptLoop;
  readonly #handler: AcceptHandler;
  readonly #pause = new TimerSlot(this);
  #state: ListenState = "accepting";

  constructor(loop: AcceptLoop, fd: number, handler: AcceptHandler) {
    this.#loop = loop;
    this.fd = fd;
    this.#handler = handler;
  }

  onEvents(): void {
    if (this.#state !== "accepting") return;
    const count = this.#accept(this.#handler.acceptsPerEventMax);
    if (count > 0) this.#handler.onBatch(count);
  }

  drainQueue(): number {
    const count = this.#accept(drainMax);
    if (count > 0) this.#handler.onBatch(count);
    return count;
  }

  drainAndClose(): number {
    const accepted: number[] = [];
    this.#acceptInto(accepted, drainMax);
    // An older generation of the process may have the socket, too: it would go on listening, and nobody accept.
    shutdown(this.fd, linux.SHUT_RD);
    close(this.fd);
    const served = accepted.filter((fd) => !this.#loop.refuseIfExhausted(fd));
    for (const fd of served) this.#handler.onAccepted(fd);
    if (served.length > 0) this.#handler.onBatch(served.length);
    return served.length;
  }

  /** The pause is over. */
  onTimer(): void {
    if (this.#state !== "paused") return;
    this.#state = "accepting";
    this.#loop.startAccepting(this);
  }

  supersede(): void {
    if (this.#state === "accepting") this.#loop.stopAccepting(this);
    this.#loop.cancelPause(this.#pause);
    this.#state = "superseded";
  }

  [Symbol.dispose](): void {
    if (this.#state === "stopped") return;
    if (this.#state === "accepting") this.#loop.stopAccepting(this);
    this.#loop.cancelPause(this.#pause);
    if (this.#state !== "superseded") this.#loop.forget(this);
    this.#state = "stopped";
  }

  #accept(max: number): number {
    let count = 0;
    for (let i = 0; i < max; i++) {
      const fd = accept4(this.fd, 0, 0, linux.SOCK_OURS);
      if (fd < 0) {
        if (this.#isEndOfQueue(errno())) break;
        continue;
      }
      if (this.#loop.refuseIfExhausted(fd)) continue;
      count += 1;
      this.#handler.onAccepted(fd);
    }
    return count;
  }

  #acceptInto(accepted: number[], max: number): void {
    for (let i = 0; i < max; i++) {
      const fd = accept4(this.fd, 0, 0, linux.SOCK_OURS);
      if (fd >= 0) accepted.push(fd);
      else if (this.#isEndOfQueue(errno())) return;
    }
  }

  #isEndOfQueue(code: number): boolean {
    switch (code) {
      case errnoOf.EAGAIN:
        return true;
      // The connection died in the queue, or a signal came: the next one may be well (accept(2)).
      case errnoOf.ECONNABORTED:
      case errnoOf.EPROTO:
      case errnoOf.EINTR:
        return false;
      case errnoOf.EMFILE:
      case errnoOf.ENFILE:
      case errnoOf.ENOBUFS:
      case errnoOf.ENOMEM:
        this.#pauseAccepting();
        this.#handler.onExhausted();
        return true;
      default:
        this.#pauseAccepting();
        this.#loop.bug(new Error(`accept4 on descriptor ${this.fd}: ${errnoName(code)}`));
        return true;
    }
  }

  #pauseAccepting(): void {
    if (this.#state !== "accepting") return;
    this.#loop.stopAccepting(this);
    this.#state = "paused";
    this.#loop.armPause(this.#pause, pauseMs);
  }
}
