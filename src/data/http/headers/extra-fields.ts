/** Fields that are added to a head beside those of the table; made for heads that are rewritten. */
import type { HeadWriter } from "../http1/head-writer.ts";

export class ExtraFields {
  #names: string[] = [];
  #values: string[] = [];

  clear(): void {
    if (this.#names.length === 0) return;
    this.#names = [];
    this.#values = [];
  }

  /** `name` in lower case. */
  add(name: string, value: string): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  get isEmpty(): boolean {
    return this.#names.length === 0;
  }

  has(name: string): boolean {
    return this.#names.includes(name);
  }

  get(name: string): string | undefined {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.#values[index];
  }

  remove(name: string): void {
    for (let i = this.#names.length - 1; i >= 0; i--) {
      if (this.#names[i] !== name) continue;
      this.#names.splice(i, 1);
      this.#values.splice(i, 1);
    }
  }

  *entries(): Iterable<readonly [name: string, value: string]> {
    for (let i = 0; i < this.#names.length; i++)
      yield [this.#names[i] as string, this.#values[i] as string];
  }

  /** Behind its own. */
  addAll(other: ExtraFields): void {
    for (let i = 0; i < other.#names.length; i++)
      this.add(other.#names[i] as string, other.#values[i] as string);
  }

  /** Takes what the other one holds in the place of its own. */
  become(other: ExtraFields): void {
    this.#names = [...other.#names];
    this.#values = [...other.#values];
  }

  write(writer: HeadWriter): void {
    let lines = "";
    for (let i = 0; i < this.#names.length; i++)
      lines += `${this.#names[i] as string}: ${this.#values[i] as string}\r\n`;
    if (lines !== "") writer.text(lines);
  }
}
