/**
 * Header values that must outlive their head, because a log or a response header prints them later.
 * Names are wanted once, by configuration; values are text made per message, only for those names.
 */
import { HeaderName, headerValue } from "../http1/header-table.ts";

export type CapturedValues = (string | undefined)[];

export class HeaderCapture {
  readonly #names: HeaderName[] = [];
  readonly #indexes = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#names.length === 0;
  }

  get names(): Iterable<string> {
    return this.#indexes.keys();
  }

  /** Pseudo-headers are known without being captured. */
  want(names: readonly string[]): void {
    for (const name of names) {
      if (name.startsWith(":") || this.#indexes.has(name)) continue;
      this.#indexes.set(name, this.#names.length);
      this.#names.push(new HeaderName(name));
    }
  }

  /** Reads the head that was parsed last; dropped fields are not seen. */
  capture(buffer: Buffer, into: CapturedValues): void {
    for (const [index, name] of this.#names.entries()) into[index] = headerValue(buffer, name);
  }

  /** What has been read, by name; for another process, which may know the names in another order. */
  entries(from: CapturedValues): [name: string, value: string][] {
    return [...this.#indexes].flatMap(([name, index]) => {
      const value = from[index];
      return value === undefined ? [] : [[name, value]];
    });
  }

  /** Sets what we made ourselves and no head held. */
  set(into: CapturedValues, name: string, value: string): void {
    const index = this.#indexes.get(name);
    if (index !== undefined) into[index] = value;
  }

  get(from: CapturedValues, name: string): string | undefined {
    const index = this.#indexes.get(name);
    return index === undefined ? undefined : from[index];
  }
}
