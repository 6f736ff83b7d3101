/** A response on its way out: what it says, what is done to its bytes, and how late it is. */
import type { PlannedResponse } from "../planned-response.ts";

export interface Item {
  readonly planned: PlannedResponse;
  readonly damage: (bytes: Buffer) => Buffer;
  /** Since the message before it went. */
  readonly delayMs: number;
}

/** What a stream remembers from one response to the next. */
export interface StreamMemory {
  lastNonce: string;
  /** A nonce that the stream has not used, and its session does not know. */
  freshNonce(): string;
  /** The same once more, as a response of its own. */
  again(planned: PlannedResponse): PlannedResponse;
  /** Whether the client asked for the type. */
  asked(typeUrl: string): boolean;
}

export function replanned(item: Item, change: Partial<PlannedResponse>): Item {
  return { ...item, planned: { ...item.planned, ...change } };
}
