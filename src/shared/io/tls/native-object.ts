/** An object of OpenSSL's that is ours to free: once, and not to be used after it. A bug here would be a wild pointer. */
export class NativeObject {
  readonly #free: (pointer: number) => void;
  #pointer: number;

  /** Owns what `pointer` names, which is not NULL. */
  constructor(pointer: number, free: (pointer: number) => void) {
    if (!Number.isSafeInteger(pointer) || pointer <= 0) throw new RangeError("bug: no such object");
    this.#pointer = pointer;
    this.#free = free;
  }

  get isFreed(): boolean {
    return this.#pointer === 0;
  }

  /** Throws a RangeError once it was freed. */
  get pointer(): number {
    if (this.#pointer === 0) throw new RangeError("bug: used after it was freed");
    return this.#pointer;
  }

  free(): void {
    const { pointer } = this;
    this.#pointer = 0;
    this.#free(pointer);
  }
}
