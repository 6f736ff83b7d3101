/** Reads numbers and runs of bytes in network order. Past the end it is broken, and gives zeros and nothing. */
const nothing = new Uint8Array(0);

export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Something was asked for that is not there. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Bytes that are left. */
  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  u16(): number {
    const [high = 0, low = 0] = this.take(2);
    return (high << 8) | low;
  }

  skip(count: number): void {
    this.take(count);
  }

  /** A view, not a copy. */
  take(count: number): Uint8Array {
    if (this.#isBroken || count > this.rest) {
      this.#isBroken = true;
      return nothing;
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  prefixed8(): Uint8Array {
    return this.take(this.u8());
  }

  prefixed16(): Uint8Array {
    return this.take(this.u16());
  }
}
