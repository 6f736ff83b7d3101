/** What both relays have in common: two directions, and each socket at the end of one and the start of the other. */
import type { EpollSocket, SocketLoop, SocketRelay } from "./epoll-socket.ts";
import { type LeavingRelay, RelayExit } from "./relay-exit.ts";

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
  directionOf: (source: EpollSocket, sink: EpollSocket, exit: RelayExit) => RelayDirection,
): void {
  const exit = new RelayExit();
  const forth = directionOf(first, second, exit);
  const back = directionOf(second, first, exit);
  exit.add(forth);
  exit.add(back);
  first.startRelay(new RelayEnd(forth, back, exit));
  second.startRelay(new RelayEnd(back, forth, exit));
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
  readonly #exit: RelayExit;

  constructor(outgoing: RelayDirection, incoming: RelayDirection, exit: RelayExit) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
    this.#exit = exit;
  }

  get isEmpty(): boolean {
    return this.#exit.isEmpty;
  }

  leave(leaving: LeavingRelay | undefined): void {
    this.#exit.set(leaving);
    // What was held goes on.
    this.#outgoing.pump();
    this.#incoming.pump();
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
