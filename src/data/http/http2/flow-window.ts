/**
 * One level of flow control in the direction of what we receive (RFC 9113 §5.2): how much the peer may still
 * send, and when to tell it that there is room again.
 */

/** What was used up is given back when it is this part of the window: rarely enough, and before the peer stalls. */
const returnedPart = 4;

export class ReceiveWindow {
  readonly #size: number;
  #left: number;
  /** Taken by whoever it was for, and not given back yet. */
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** Bytes came. False: more than the peer was allowed. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** Bytes need no room any more: the increment to tell the peer, or 0. */
  release(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken < this.#size / returnedPart) return 0;
    const increment = this.#taken;
    this.#taken = 0;
    this.#left += increment;
    return increment;
  }
}
