/**
 * Two sockets joined through the arena, where the kernel cannot join them: at least one of them speaks TLS. A source is
 * read only while its sink takes what comes, so that each direction holds a bounded number of bytes.
 */
import type { EpollSocket, SocketLoop, SocketRelay } from "./epoll-socket.ts";

/** Queued output of the sink above which its source is no longer read. */
const queueBytesMax = 256 * 1024;

export function relayByCopy(loop: SocketLoop, first: EpollSocket, second: EpollSocket): void {
  const forth = new Direction(loop, first, second);
  const back = new Direction(loop, second, first);
  first.startRelay(new RelayEnd(forth, back));
  second.startRelay(new RelayEnd(back, forth));
  forth.pump();
  back.pump();
}

class RelayEnd implements SocketRelay {
  /** What was read is the sink's at once: `queuedBytes` has it. */
  readonly bytesUnderway = 0;
  readonly #outgoing: Direction;
  readonly #incoming: Direction;

  constructor(outgoing: Direction, incoming: Direction) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  onReadable(): void {
    this.#outgoing.pump();
  }

  onWritable(): void {
    this.#incoming.pump();
  }

  onClosed(): void {
    this.#incoming.abandon();
  }
}

class Direction {
  readonly #loop: SocketLoop;
  readonly #source: EpollSocket;
  readonly #sink: EpollSocket;
  #isAbandoned = false;

  constructor(loop: SocketLoop, source: EpollSocket, sink: EpollSocket) {
    this.#loop = loop;
    this.#source = source;
    this.#sink = sink;
  }

  abandon(): void {
    this.#isAbandoned = true;
  }

  /** One read and what it brings; more of it in the next pass, so that others get their turn. */
  pump(): void {
    const { readStart } = this.#loop;
    if (!this.#canMove()) return;
    const count = this.#source.receive();
    if (count > 0) {
      this.#sink.write(readStart, readStart + count);
      this.#report(this.#source, count, 0);
      this.#report(this.#sink, 0, count);
    }
    if (this.#source.isReadEnded && this.#sink.isOpen) this.#sink.shutdownWrite();
  }

  #canMove(): boolean {
    const { readable, isReadEnded, isOpen } = this.#source;
    const takes = this.#sink.isOpen && this.#sink.queuedBytes <= queueBytesMax;
    return readable && !isReadEnded && isOpen && takes && !this.#isAbandoned;
  }

  /** Each pays for its own handler. */
  #report(socket: EpollSocket, read: number, written: number): void {
    if (socket.hasEnded) return;
    try {
      socket.handler.onSpliced(read, written);
    } catch (error) {
      this.#loop.bug(error);
      socket.closeForBug();
    }
  }
}
