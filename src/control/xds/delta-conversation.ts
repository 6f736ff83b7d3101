/** Delta: requests tell what changed in the subscription; only an answer carries a nonce. */
import type { Conversation, Dialect, NextRequest } from "./conversation.ts";
import { writeDeltaRequest } from "./delta-request.ts";
import { readDeltaResponse } from "./delta-response.ts";
import { afterTelling, changeToTell, compareDelta, noDeltaProgress } from "./delta-state.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { Reply } from "./reply.ts";

export const delta: Dialect = {
  streamName: "DeltaAggregatedResources",
  readResponse: readDeltaResponse,
  compare: compareDelta,
  converse: (typeUrl) => new DeltaConversation(typeUrl),
};

class DeltaConversation implements Conversation {
  readonly #typeUrl: string;
  #progress = noDeltaProgress;
  /** A response of this stream that is not answered yet. */
  #answer: { readonly nonce: string; readonly error: string | undefined } | undefined;

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl;
  }

  get hasAsked(): boolean {
    return this.#progress.hasAsked;
  }

  onNewStream(): void {
    this.#progress = noDeltaProgress;
    this.#answer = undefined;
  }

  onReply({ nonce }: DiscoveryResponse, reply: Reply, isCurrent: boolean): void {
    if (!isCurrent) return;
    this.#answer = { nonce, error: reply.kind === "nack" ? reply.detail : undefined };
  }

  next({ interest, held, node }: NextRequest): Uint8Array | undefined {
    const change = changeToTell(interest, this.#progress);
    const answer = this.#answer;
    if (!change && !answer) return undefined;
    const initialVersions = new Map<string, string>();
    if (!this.#progress.hasAsked)
      for (const [name, { version }] of held) initialVersions.set(name, version);
    this.#answer = undefined;
    this.#progress = afterTelling(interest, this.#progress);
    return writeDeltaRequest({
      typeUrl: this.#typeUrl,
      node,
      subscribe: change?.subscribe ?? [],
      unsubscribe: change?.unsubscribe ?? [],
      initialVersions,
      nonce: answer?.nonce ?? "",
      error: answer?.error,
    });
  }
}
