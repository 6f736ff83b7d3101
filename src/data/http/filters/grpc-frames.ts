/**
 * Messages of gRPC within a body (gRPC over HTTP2: Length-Prefixed-Message): one byte of flags, four of length, the
 * message. Parts of a body begin and end anywhere.
 */
const headBytes = 5;

/** Keeps nothing but where it is. */
export class FrameCounter {
  /** Of the head of the message, so far. */
  #headCount = 0;
  #length = 0;
  /** Of the message, still to come. */
  #left = 0;

  /** Messages that begin in this part: a message counts when its first byte comes, as in Envoy. */
  count(part: Uint8Array): number {
    let begun = 0;
    let at = 0;
    while (at < part.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, part.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      if (this.#headCount === 0) begun++;
      else this.#length = this.#length * 256 + (part[at] as number);
      at++;
      this.#headCount++;
      if (this.#headCount === headBytes) this.#beginMessage();
    }
    return begun;
  }

  #beginMessage(): void {
    this.#left = this.#length;
    this.#length = 0;
    this.#headCount = 0;
  }
}
