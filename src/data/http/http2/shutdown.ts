/**
 * The orderly end of an HTTP/2 connection (RFC 9113 §6.8), in two words: GOAWAY with the largest id says that the end
 * is near, and refuses nothing; when a PING behind it has come back, whatever the client sent before it read that has
 * come too, and GOAWAY with the last id can be final.
 *
 *   serving → noticed → final → closing
 *
 * What a newcomer would get wrong: Envoy waits `drain_timeout` between the two. Here that is the most.
 */

export type ShutdownState =
  | { readonly kind: "serving" }
  | { readonly kind: "noticed"; readonly finalAtMs: number }
  /** No new streams; it closes when the last has ended. */
  | { readonly kind: "final" }
  /** Everything was said: what still comes is read and dropped for a while. */
  | { readonly kind: "closing"; readonly sinceMs: number; readonly queuedBytes: number };

export const serving: ShutdownState = { kind: "serving" };

/** The number in the PING behind the notice: keep-alive pings have others. */
export const shutdownPing = 0x5c_1a_55_e5;
