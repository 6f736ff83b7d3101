/**
 * The dynamic table of a decoder (RFC 7541 §2.3.2). Peers that index whatever they send add entries with every message,
 * so an entry costs no allocation: lines lie in a ring of bytes, and what is known of them in slots that are used again.
 */
import { type FieldFacts, HeaderEntry, type TableLine } from "./header-entry.ts";
import { staticCount, staticTable } from "./static-table.ts";

const slotsMin = 8;
const bytesMin = 512;

export class DynamicTable {
  /** What the peer may set at most: what our SETTINGS say. */
  readonly #sizeMax: number;
  #capacity: number;
  #size = 0;
  /** Its length is a power of two; the newest entry is followed by the one that is overwritten next. */
  #slots: HeaderEntry[] = [];
  #newest = -1;
  #count = 0;
  /** At least twice what the lines in it have, so that one always fits in a piece, at its end or at its start. */
  #bytes = new Uint8Array(0);
  #at = 0;
  #lineBytes = 0;

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

  /** Of both tables by the index on the wire, until the next `add`; undefined: there is none. */
  get(index: number): HeaderEntry | undefined {
    if (index <= staticCount) return staticTable[index - 1];
    const back = index - staticCount - 1;
    return back < this.#count ? this.#slot(this.#newest - back) : undefined;
  }

  /** Copies a line of bytes. An entry that is larger than the table empties it, and that is no error (§4.4). */
  add(bytes: Uint8Array, line: TableLine, facts: FieldFacts): void {
    this.#evictTo(this.#capacity - line.size);
    if (line.size > this.#capacity) return;
    if (this.#count === this.#slots.length) this.#addSlots();
    const length = line.end - line.start;
    const at = this.#roomFor(length);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = bytes[line.start + i] as number;
    this.#at = at + length;
    this.#lineBytes += length;
    this.#newest = (this.#newest + 1) & (this.#slots.length - 1);
    this.#slot(this.#newest).set(this.#bytes, at, line, facts);
    this.#count++;
    this.#size += line.size;
  }

  /** False: larger than we allow. */
  resize(capacity: number): boolean {
    if (capacity > this.#sizeMax) return false;
    this.#capacity = capacity;
    this.#evictTo(capacity);
    return true;
  }

  #slot(index: number): HeaderEntry {
    return this.#slots[index & (this.#slots.length - 1)] as HeaderEntry;
  }

  #evictTo(size: number): void {
    while (this.#count > 0 && this.#size > size) {
      const oldest = this.#slot(this.#newest - this.#count + 1);
      this.#size -= oldest.size;
      this.#lineBytes -= oldest.lineLength;
      this.#count--;
    }
  }

  /** Where the ring has that many bytes in a piece. */
  #roomFor(length: number): number {
    const needed = 2 * (this.#lineBytes + length);
    if (needed > this.#bytes.length) this.#moveTo(Math.max(bytesMin, 2 * needed));
    return this.#at + length <= this.#bytes.length ? this.#at : 0;
  }

  #moveTo(length: number): void {
    const bytes = new Uint8Array(length);
    let at = 0;
    for (let back = this.#count - 1; back >= 0; back--)
      at = this.#slot(this.#newest - back).move(bytes, at);
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Twice as many; those in use go to the front. */
  #addSlots(): void {
    const slots: HeaderEntry[] = [];
    for (let back = this.#count - 1; back >= 0; back--) slots.push(this.#slot(this.#newest - back));
    const length = Math.max(slotsMin, 2 * slots.length);
    while (slots.length < length) slots.push(new HeaderEntry());
    this.#slots = slots;
    this.#newest = this.#count - 1;
  }
}
