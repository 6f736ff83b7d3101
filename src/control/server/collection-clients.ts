/**
 * A client asks for one collection of a type, or for everything: what comes of two could not be told apart. So a
 * further collection of the same server has a client of its own, for as long as somebody wants it.
 */
import type { XdsClient } from "../xds/xds-client.ts";

export interface CollectionClient extends Disposable {
  readonly client: XdsClient;
}

interface Held {
  readonly client: XdsClient;
  references: number;
}

export class CollectionClients {
  /** By the client that a server has anyway, and the collection; undefined: everything. */
  readonly #held = new Map<XdsClient, Map<string | undefined, Held>>();
  readonly #close: (client: XdsClient) => void;

  /** `close`: of a client that was made here. */
  constructor(close: (client: XdsClient) => void) {
    this.#close = close;
  }

  /** `create`: another client of the same server. */
  acquire(
    main: XdsClient,
    collection: string | undefined,
    create: () => XdsClient,
  ): CollectionClient {
    const ofServer = this.#held.get(main) ?? new Map<string | undefined, Held>();
    this.#held.set(main, ofServer);
    const isFree = ![...ofServer.values()].some(({ client }) => client === main);
    const held = ofServer.get(collection) ?? { client: isFree ? main : create(), references: 0 };
    ofServer.set(collection, held);
    held.references++;
    let isHeld = true;
    return {
      client: held.client,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        held.references--;
        if (held.references > 0) return;
        ofServer.delete(collection);
        if (held.client !== main) this.#close(held.client);
      },
    };
  }
}
