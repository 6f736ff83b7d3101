/** Random UUIDs for `x-request-id` (RFC 9562 version 4), 256 of them per call for chance. */
import type { Random } from "../../../shared/common/random.ts";
import type { HeadWriter } from "../http1/head-writer.ts";

const uuidBytes = 16;
const poolBytes = 256 * uuidBytes;

export class RequestIds {
  readonly #random: Random;
  readonly #pool = new Uint8Array(poolBytes);
  #at = poolBytes;

  constructor(random: Random) {
    this.#random = random;
  }

  write(writer: HeadWriter): void {
    writer.uuid(this.#pool, this.#take());
  }

  text(): string {
    const at = this.#take();
    const hex = Buffer.from(this.#pool.subarray(at, at + uuidBytes)).toString("hex");
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20),
    ].join("-");
  }

  /** Where the next sixteen bytes lie, version and variant set. */
  #take(): number {
    if (this.#at === poolBytes) {
      this.#random.fill(this.#pool);
      this.#at = 0;
    }
    const at = this.#at;
    this.#pool[at + 6] = ((this.#pool[at + 6] as number) & 0x0f) | 0x40;
    this.#pool[at + 8] = ((this.#pool[at + 8] as number) & 0x3f) | 0x80;
    this.#at += uuidBytes;
    return at;
  }
}
