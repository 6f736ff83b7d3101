/**
 * A header block in the making: HEADERS whose CONTINUATIONs are still to come (RFC 9113 §4.3). Bounded, for nothing
 * else can be done with a block than to decode the whole of it.
 */

/** A block is smaller than what it decodes to, but for padding by size updates: what is larger is an attack. */
const slackBytes = 16 * 1024;

/** What HEADERS said beside the block. */
export interface HeadOfBlock {
  readonly id: number;
  readonly isEnd: boolean;
  readonly isSelfDependent: boolean;
}

export class HeaderBlock {
  readonly #bytesMax: number;
  #head: HeadOfBlock | undefined;
  #parts: Uint8Array[] = [];
  #length = 0;
  /** Infinity: it is not open, or given up. */
  openSinceMs = Infinity;

  /** `headBytesMax`: of the decoded fields. */
  constructor(headBytesMax: number) {
    this.#bytesMax = headBytesMax + slackBytes;
  }

  get isOpen(): boolean {
    return this.#head !== undefined;
  }

  get id(): number {
    return this.#head?.id ?? 0;
  }

  /** `sinceMs` absent: nobody waits for it. */
  open(head: HeadOfBlock, first: Uint8Array, sinceMs = Infinity): void {
    this.openSinceMs = sinceMs;
    this.#head = head;
    this.#parts = [first];
    this.#length = first.length;
  }

  /** False: it has become too large. */
  add(part: Uint8Array): boolean {
    this.#parts.push(part);
    this.#length += part.length;
    return this.#length <= this.#bytesMax;
  }

  /** Nobody waits for it any more, though it is read to its end. Returns its stream. */
  giveUp(): number {
    this.openSinceMs = Infinity;
    return this.id;
  }

  close(): { readonly head: HeadOfBlock; readonly bytes: Uint8Array } {
    const head = this.#head ?? { id: 0, isEnd: false, isSelfDependent: false };
    const bytes = Buffer.concat(this.#parts, this.#length);
    this.openSinceMs = Infinity;
    this.#head = undefined;
    this.#parts = [];
    return { head, bytes };
  }
}
