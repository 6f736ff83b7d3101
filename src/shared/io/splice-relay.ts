/**
 * Two sockets joined inside the kernel: bytes go socket → pipe → socket by splice(2) and never enter
 * this process. Each direction has its own pipe, which is also its buffer: while it is full the source
 * is not read, and TCP slows the sender.
 *
 * What a newcomer would get wrong: any call on a socket here may end it, and ending it comes back into
 * this file (`onClosed`) before the call returns.
 */
import type { EpollSocket, SocketLoop } from "./epoll-socket.ts";
import { pipeBytes, type Pipe, type PipePool } from "./pipe-pool.ts";
import { joinSockets, type RelayDirection, reportMoved } from "./relay-end.ts";
import type { RelayExit } from "./relay-exit.ts";
import { errno, errnoOf, linux, splice } from "./syscalls.ts";

/** Pipe fills in one go before other sockets get their turn. */
const fillsMax = 16;

export function relayBySplice(
  loop: SocketLoop,
  pipes: PipePool,
  first: EpollSocket,
  second: EpollSocket,
): void {
  joinSockets(
    first,
    second,
    (source, sink, exit) => new Direction({ loop, pipes, exit }, source, sink),
  );
}

interface DirectionParts {
  readonly loop: SocketLoop;
  readonly pipes: PipePool;
  readonly exit: RelayExit;
}

class Direction implements RelayDirection {
  readonly #loop: SocketLoop;
  readonly #pipes: PipePool;
  readonly #exit: RelayExit;
  readonly #source: EpollSocket;
  readonly #sink: EpollSocket;
  #pipe: Pipe | null = null;
  #isSinkBlocked = false;
  #isPumping = false;
  /** The sink is gone. */
  #isAbandoned = false;
  bytesUnderway = 0;

  constructor({ loop, pipes, exit }: DirectionParts, source: EpollSocket, sink: EpollSocket) {
    this.#loop = loop;
    this.#pipes = pipes;
    this.#exit = exit;
    this.#source = source;
    this.#sink = sink;
  }

  unblock(): void {
    this.#isSinkBlocked = false;
    this.pump();
  }

  /** Moves what can be moved now. */
  pump(): void {
    if (this.#isAbandoned || this.#isPumping) return;
    this.#isPumping = true;
    let read = 0;
    let written = 0;
    for (let fills = 0; ; fills++) {
      if (fills === fillsMax) {
        this.#loop.readyLater(this.#source);
        break;
      }
      if (this.bytesUnderway === 0 && this.#exit.mayRead()) read += this.#fill();
      if (this.bytesUnderway === 0) break;
      written += this.#drain();
      if (this.bytesUnderway > 0) break;
    }
    this.#isPumping = false;
    this.#settle();
    if (read > 0) reportMoved(this.#loop, this.#source, read, 0);
    if (written > 0) reportMoved(this.#loop, this.#sink, 0, written);
  }

  abandon(): void {
    this.#isAbandoned = true;
    if (!this.#isPumping) this.#releasePipe();
  }

  /** Source to pipe; how many bytes. */
  #fill(): number {
    const source = this.#source;
    if (!this.#canFill()) return 0;
    this.#pipe ??= this.#pipes.acquire() ?? null;
    if (this.#pipe === null) {
      source.fail(errno());
      return 0;
    }
    const count = splice(
      source.fd,
      0,
      this.#pipe.writeEnd,
      0,
      pipeBytes,
      linux.SPLICE_F_MOVE_NONBLOCK,
    );
    if (count > 0) {
      this.bytesUnderway = count;
      return count;
    }
    if (count === 0) source.endReading();
    else this.#onFillError(errno());
    return 0;
  }

  /** A sink that is being flushed takes what is under way and no more. */
  #canFill(): boolean {
    const { readable, isReadEnded, isOpen } = this.#source;
    return readable && !isReadEnded && isOpen && this.#sink.isOpen && !this.#isAbandoned;
  }

  #onFillError(code: number): void {
    if (code === errnoOf.EAGAIN) this.#source.readable = false;
    else this.#source.fail(code);
  }

  /** Pipe to sink until the pipe is empty or the sink full; how many bytes. */
  #drain(): number {
    let written = 0;
    while (this.bytesUnderway > 0 && this.#canDrain() && this.#pipe !== null) {
      const count = splice(
        this.#pipe.readEnd,
        0,
        this.#sink.fd,
        0,
        this.bytesUnderway,
        linux.SPLICE_F_MOVE_NONBLOCK,
      );
      if (count <= 0) {
        this.#onDrainError(errno());
        break;
      }
      this.bytesUnderway -= count;
      written += count;
    }
    return written;
  }

  #onDrainError(code: number): void {
    if (code !== errnoOf.EAGAIN) {
      this.#sink.fail(code);
      return;
    }
    this.#isSinkBlocked = true;
    if (!this.#sink.awaitsWritable) this.#loop.awaitWritable(this.#sink);
  }

  /** Output that was queued by `write` goes first; so does connecting. */
  #canDrain(): boolean {
    const sink = this.#sink;
    return !this.#isAbandoned && !this.#isSinkBlocked && sink.takesOutput && sink.queuedBytes === 0;
  }

  /** Gives the pipe back and hands on the FIN once nothing is under way. */
  #settle(): void {
    if (this.#isAbandoned) this.#releasePipe();
    if (this.bytesUnderway > 0) return;
    this.#releasePipe();
    if (this.#isAbandoned) return;
    if (this.#source.isReadEnded) this.#sink.shutdownWrite();
    this.#sink.onRelayProgress();
  }

  #releasePipe(): void {
    if (this.#pipe === null) return;
    this.#pipes.release(this.#pipe, this.bytesUnderway === 0);
    this.#pipe = null;
    this.bytesUnderway = 0;
  }
}
