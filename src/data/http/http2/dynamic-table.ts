/** The dynamic table of a decoder (RFC 7541 §2.3.2): a ring, the newest entry first. */
import type { HeaderEntry } from "./header-entry.ts";
import { staticCount, staticTable } from "./static-table.ts";

/** No entry is smaller. */
const entrySizeMin = 32;

export class DynamicTable {
  /** What the peer may set at most: what our SETTINGS say. */
  readonly #sizeMax: number;
  #capacity: number;
  #size = 0;
  /** Its length is a power of two. */
  #ring: (HeaderEntry | undefined)[] = [];
  #newest = 0;
  #count = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
    this.#capacity = sizeMax;
  }

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#size;
  }

  /** Of both tables by the index on the wire; undefined: there is none. */
  get(index: number): HeaderEntry | undefined {
    if (index <= staticCount) return staticTable[index - 1];
    const back = index - staticCount - 1;
    if (back >= this.#count) return undefined;
    return this.#ring[(this.#newest - back) & (this.#ring.length - 1)];
  }

  /** An entry that is larger than the table empties it, and that is no error (§4.4). */
  add(entry: HeaderEntry): void {
    this.#evictTo(this.#capacity - entry.size);
    if (entry.size > this.#capacity) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = entry;
    this.#count++;
    this.#size += entry.size;
  }

  /** False: larger than we allow. */
  resize(capacity: number): boolean {
    if (capacity > this.#sizeMax) return false;
    this.#capacity = capacity;
    this.#evictTo(capacity);
    return true;
  }

  #evictTo(size: number): void {
    const mask = this.#ring.length - 1;
    while (this.#count > 0 && this.#size > size) {
      const oldest = (this.#newest - this.#count + 1) & mask;
      this.#size -= this.#ring[oldest]?.size ?? 0;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const ring: (HeaderEntry | undefined)[] = [];
    for (let back = this.#count - 1; back >= 0; back--) ring.push(this.get(staticCount + 1 + back));
    const most = Math.max(1, Math.ceil(this.#sizeMax / entrySizeMin));
    const length = Math.max(8, Math.min(2 ** Math.ceil(Math.log2(most)), this.#ring.length * 2));
    this.#newest = this.#count - 1;
    while (ring.length < length) ring.push(undefined);
    this.#ring = ring;
    this.#newest &= length - 1;
  }
}
