/** The state of the world: every request names the whole subscription and the last accepted version. */
import type { Conversation, Dialect, NextRequest } from "./conversation.ts";
import { writeDiscoveryRequest } from "./discovery-request.ts";
import { readDiscoveryResponse, type DiscoveryResponse } from "./discovery-response.ts";
import type { Reply } from "./reply.ts";
import {
  afterReply,
  afterRequest,
  compareWithHeld,
  namesToSend,
  noProgress,
  onNewStream,
} from "./sotw-state.ts";

export const sotw: Dialect = {
  streamName: "StreamAggregatedResources",
  readResponse: readDiscoveryResponse,
  compare: compareWithHeld,
  converse: (typeUrl) => new SotwConversation(typeUrl),
};

class SotwConversation implements Conversation {
  readonly #typeUrl: string;
  #progress = noProgress;
  /** The detail of a NACK that is due. */
  #error: string | undefined;

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl;
  }

  get hasAsked(): boolean {
    return this.#progress.hasAsked;
  }

  onNewStream(): void {
    this.#progress = onNewStream(this.#progress);
    this.#error = undefined;
  }

  onReply(response: DiscoveryResponse, reply: Reply, isCurrent: boolean): void {
    // On a newer stream the nonce means nothing, but what was accepted was accepted.
    const nonce = isCurrent ? response.nonce : this.#progress.nonce;
    this.#progress = afterReply(this.#progress, { version: response.version, nonce }, reply);
    this.#error = isCurrent && reply.kind === "nack" ? reply.detail : undefined;
  }

  next({ interest, node }: NextRequest): Uint8Array | undefined {
    const resourceNames = namesToSend(interest, this.#progress);
    if (!resourceNames) return undefined;
    const { version, nonce } = this.#progress;
    const error = this.#error;
    this.#error = undefined;
    this.#progress = afterRequest(this.#progress, resourceNames);
    return writeDiscoveryRequest({
      version,
      node,
      resourceNames,
      typeUrl: this.#typeUrl,
      nonce,
      error,
    });
  }
}
