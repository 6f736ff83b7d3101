/** Body bytes of one stream that its peer's window has no room for: copies, since the arena is written over. */
export class SendQueue {
  /** Made for the first part: most streams never wait. */
  #parts: Uint8Array[] | undefined;
  #bytes = 0;
  /** The last of them ends the stream. */
  isEnd = false;
  /** Lines that end the stream behind the bytes; undefined: none. */
  trailers: Uint8Array | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0 && !this.isEnd && this.trailers === undefined;
  }

  add(part: Uint8Array): void {
    if (part.length === 0) return;
    (this.#parts ??= []).push(part);
    this.#bytes += part.length;
  }

  /** The next bytes, `most` of them at most; empty when there are none. */
  take(most: number): Uint8Array {
    const parts = this.#parts;
    const first = parts?.[0];
    if (parts === undefined || first === undefined) return none;
    const part = first.length <= most ? first : first.subarray(0, most);
    if (part === first) parts.shift();
    else parts[0] = first.subarray(most);
    this.#bytes -= part.length;
    return part;
  }
}

const none = new Uint8Array(0);
