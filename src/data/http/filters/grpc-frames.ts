/**
 * Messages of gRPC within a body (gRPC over HTTP2: Length-Prefixed-Message): one byte of flags, four of length, the
 * message. Parts of a body begin and end anywhere, so a reader keeps where it is, and nothing else.
 */
export const frameHeadBytes = 5;

export class FrameReader {
  /** Of the head of the message under way. */
  #headCount = 0;
  #length = 0;
  /** Of the message, still to come. */
  #left = 0;

  /** No message is under way. */
  get isBetween(): boolean {
    return this.#headCount === 0;
  }

  /** From `at` to the end of the message under way, or of the part; returns where. */
  skip(part: Uint8Array, at: number): number {
    let next = at;
    while (next < part.length && this.#headCount < frameHeadBytes) {
      if (this.#headCount > 0) this.#length = this.#length * 256 + (part[next] as number);
      this.#headCount++;
      next++;
      if (this.#headCount === frameHeadBytes) this.#left = this.#length;
    }
    if (this.#headCount < frameHeadBytes) return next;
    const taken = Math.min(this.#left, part.length - next);
    this.#left -= taken;
    if (this.#left === 0) {
      this.#headCount = 0;
      this.#length = 0;
    }
    return next + taken;
  }

  /** Reads the part; messages that begin in it: one counts when its first byte comes, as in Envoy. */
  count(part: Uint8Array): number {
    let begun = 0;
    for (let at = 0; at < part.length; at = this.skip(part, at)) if (this.isBetween) begun++;
    return begun;
  }
}

export function frame(flags: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(frameHeadBytes);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
