/** What a client holds of one type, and how often it had to change something. */
import type { RecordedResponse } from "./recording.ts";

export interface ChangeCounts {
  readonly added: number;
  readonly modified: number;
  readonly removed: number;
}

export class HeldResources {
  readonly #held = new Map<string, Uint8Array>();
  #added = 0;
  #modified = 0;
  #removed = 0;

  get names(): readonly string[] {
    return [...this.#held.keys()].toSorted();
  }

  get contents(): readonly Uint8Array[] {
    return [...this.#held.values()];
  }

  get counts(): ChangeCounts {
    return { added: this.#added, modified: this.#modified, removed: this.#removed };
  }

  /**
   * xDS, "Deleting Resources": state of the world removes clusters and listeners by leaving them out, delta
   * by naming them. Equal bytes are no change; under a refused name the version before goes on.
   */
  apply(
    { names, removed }: RecordedResponse,
    accepted: ReadonlyMap<string, Uint8Array>,
    isDelta: boolean,
  ): void {
    const gone = isDelta ? removed : this.names.filter((name) => !names.includes(name));
    for (const name of gone) if (this.#held.delete(name)) this.#removed++;
    for (const [name, bytes] of accepted) {
      const held = this.#held.get(name);
      if (!held) this.#added++;
      else if (Buffer.compare(held, bytes) !== 0) this.#modified++;
      this.#held.set(name, bytes);
    }
  }
}
