/**
 * Base64 that comes in parts, cut anywhere (RFC 4648 §4). Padding ends four characters, not the text: whoever sends one
 * message after another as base64 may pad each.
 */
const none = -1;
const pad = 0x3d;
const values = new Int8Array(256).fill(none);
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;

export class Base64Decoder {
  /** Of the four characters that are under way: how many, what they say so far, how many of them are padding. */
  #count = 0;
  #bits = 0;
  #padding = 0;

  /** No four characters are under way: the text may end here. */
  get isBetween(): boolean {
    return this.#count === 0;
  }

  /** Undefined: it is no base64, and nothing more is to be asked. */
  decode(part: Uint8Array): Uint8Array | undefined {
    const bytes = new Uint8Array(Math.ceil(((this.#count + part.length) * 3) / 4));
    let at = 0;
    for (const character of part) {
      if (!this.#take(character)) return undefined;
      if (this.#count < 4) continue;
      const size = 3 - this.#padding;
      // Bits that padding leaves over are zero, so that no bytes have two spellings.
      if ((this.#bits & ((1 << (8 * this.#padding)) - 1)) !== 0) return undefined;
      for (let i = 0; i < size; i++) bytes[at++] = (this.#bits >> (16 - 8 * i)) & 0xff;
      this.#count = 0;
      this.#bits = 0;
      this.#padding = 0;
    }
    return bytes.subarray(0, at);
  }

  #take(character: number): boolean {
    const value = values[character] as number;
    if (character === pad && this.#count >= 2) this.#padding++;
    else if (value === none || this.#padding > 0) return false;
    this.#bits = (this.#bits << 6) | Math.max(value, 0);
    this.#count++;
    return true;
  }
}
