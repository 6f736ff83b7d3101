/**
 * A client asks for one collection of a type, or for everything: what comes of two could not be told apart. Whoever
 * comes second has to ask for the same.
 */
import type { XdsClient } from "../xds/xds-client.ts";

interface Held {
  readonly collection: string | undefined;
  references: number;
}

export class OneCollection {
  readonly #held = new Map<XdsClient, Held>();

  /** How to give it back, once; undefined: another one is held. */
  acquire(client: XdsClient, collection: string | undefined): (() => void) | undefined {
    const held = this.#held.get(client) ?? { collection, references: 0 };
    if (held.collection !== collection) return undefined;
    held.references++;
    this.#held.set(client, held);
    return () => {
      held.references--;
      if (held.references === 0) this.#held.delete(client);
    };
  }
}
