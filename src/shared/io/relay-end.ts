/** What both relays have in common: two directions, and each socket at the end of one and the start of the other. */
import type { EpollSocket, SocketLoop, SocketRelay } from "./epoll-socket.ts";

/** Bytes from one socket to the other, by whatever means. */
export interface RelayDirection {
  /** Read from the source, and not yet with the sink. */
  readonly bytesUnderway: number;
  /** Moves what can be moved now. */
  pump(): void;
  /** The sink takes bytes again. */
  unblock(): void;
  /** The sink is gone. */
  abandon(): void;
}

/** Takes both sockets out of the hands of their handlers. */
export function joinSockets(
  first: EpollSocket,
  second: EpollSocket,
  directionOf: (source: EpollSocket, sink: EpollSocket) => RelayDirection,
): void {
  const forth = directionOf(first, second);
  const back = directionOf(second, first);
  first.startRelay(new RelayEnd(forth, back));
  second.startRelay(new RelayEnd(back, forth));
  forth.pump();
  back.pump();
}

/**
 * Also for a socket that was closed just now, as `onClosed` is yet to come. The sink's handler may
 * throw while an event of the source is handled: each pays for itself.
 */
export function reportMoved(
  loop: SocketLoop,
  socket: EpollSocket,
  read: number,
  written: number,
): void {
  if (socket.hasEnded) return;
  try {
    socket.handler.onSpliced(read, written);
  } catch (error) {
    loop.bug(error);
    socket.closeForBug();
  }
}

class RelayEnd implements SocketRelay {
  readonly #outgoing: RelayDirection;
  readonly #incoming: RelayDirection;

  constructor(outgoing: RelayDirection, incoming: RelayDirection) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  get bytesUnderway(): number {
    return this.#incoming.bytesUnderway;
  }

  onReadable(): void {
    this.#outgoing.pump();
  }

  onWritable(): void {
    this.#incoming.unblock();
  }

  onClosed(): void {
    this.#incoming.abandon();
    // What was read from the closed one still reaches the other.
    this.#outgoing.pump();
  }
}
