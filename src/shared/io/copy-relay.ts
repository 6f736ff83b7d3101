/**
 * Two sockets joined through the arena, where the kernel cannot join them: at least one of them speaks TLS. A source is
 * read only while its sink takes what comes, so that each direction holds a bounded number of bytes.
 */
import type { EpollSocket, SocketLoop } from "./epoll-socket.ts";
import { joinSockets, type RelayDirection, reportMoved } from "./relay-end.ts";

/** Queued output of the sink above which its source is no longer read. */
const queueBytesMax = 256 * 1024;

export function relayByCopy(loop: SocketLoop, first: EpollSocket, second: EpollSocket): void {
  joinSockets(first, second, (source, sink) => new Direction(loop, source, sink));
}

class Direction implements RelayDirection {
  /** What was read is the sink's at once: `queuedBytes` has it. */
  readonly bytesUnderway = 0;
  readonly #loop: SocketLoop;
  readonly #source: EpollSocket;
  readonly #sink: EpollSocket;
  #isAbandoned = false;

  constructor(loop: SocketLoop, source: EpollSocket, sink: EpollSocket) {
    this.#loop = loop;
    this.#source = source;
    this.#sink = sink;
  }

  unblock(): void {
    this.pump();
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
      reportMoved(this.#loop, this.#source, count, 0);
      reportMoved(this.#loop, this.#sink, 0, count);
    }
    if (this.#source.isReadEnded && this.#sink.isOpen) this.#sink.shutdownWrite();
  }

  #canMove(): boolean {
    const { readable, isReadEnded, isOpen } = this.#source;
    const takes = this.#sink.isOpen && this.#sink.queuedBytes <= queueBytesMax;
    return readable && !isReadEnded && isOpen && takes && !this.#isAbandoned;
  }
}
