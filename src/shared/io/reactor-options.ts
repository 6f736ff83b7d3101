/** What either reactor is made with. */
export interface ReactorOptions {
  /** Most bytes of queued output, over all sockets (epoll rounds down to blocks of 16 KiB). */
  readonly arenaBytesMax: number;
  /** A callback threw. Its connection, if it was a socket's, is being closed with reset. */
  onBug(error: unknown): void;
  /** The arena is at its cap: a socket's output had no room (`queue`), or a new connection was reset (`accept`). */
  onArenaFull(what: "queue" | "accept"): void;
}
