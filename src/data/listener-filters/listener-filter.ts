/**
 * The seam between an accepted connection and what looks at it before its filter chain is chosen (Envoy:
 * `Network::ListenerFilter`). A filter decides and learns; whoever runs it owns the socket, the bytes and the deadline.
 */
import type { HeldSocket } from "../../shared/io/reactor.ts";
import type { LearnedFacts } from "../network/learned-facts.ts";

/** `wait`: for (more) bytes. `close`: the filter has counted why. */
export type ListenerFilterVerdict = "continue" | "wait" | "close";

export interface ListenerFilter {
  /** So many bytes it looks at, at most; may grow while it waits, up to `readBytesMax`. 0: it looks at none. */
  readonly maxReadBytes: number;
  onAccept(): ListenerFilterVerdict;
  /** All that is here of the connection's bytes, from its first on; the filter's until it returns. */
  onData(bytes: Uint8Array): ListenerFilterVerdict;
}

/** No filter may look at more: what a reactor can show at once. */
export const readBytesMax = 128 * 1024;

export interface ListenerFilterContext {
  readonly socket: HeldSocket;
  readonly facts: LearnedFacts;
}

/** Makes the filter of one connection; made once a listener and worker. */
export interface ListenerFilterFactory {
  create(context: ListenerFilterContext): ListenerFilter;
}
