/**
 * One type's side of a stream, in one of the two variants of the protocol: what the next request says and
 * what a response means. It holds where the conversation stands, and has no effects.
 */
import type { Comparison, HeldResource, Interest, TypeRules } from "./comparison.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { Reply } from "./reply.ts";
import type { Read } from "./wire.ts";

/** State of the world, or delta. */
export interface Dialect {
  /** For logs: `StreamAggregatedResources`. */
  readonly streamName: string;
  /** Never throws. */
  readResponse(message: Uint8Array): Read<DiscoveryResponse>;
  compare(
    held: ReadonlyMap<string, HeldResource>,
    response: DiscoveryResponse,
    rules: TypeRules,
    interest: Interest,
  ): Comparison;
  converse(typeUrl: string): Conversation;
}

export interface Conversation {
  /** A request went out on the present stream: only then does a response mean anything. */
  readonly hasAsked: boolean;
  onNewStream(): void;
  /** A response was judged. `isCurrent`: the stream it came on is still the present one. */
  onReply(response: DiscoveryResponse, reply: Reply, isCurrent: boolean): void;
  /** The next request, or `undefined` if there is nothing to say. It counts as sent. */
  next(saying: NextRequest): Uint8Array | undefined;
}

export interface NextRequest {
  readonly interest: Interest;
  readonly held: ReadonlyMap<string, HeldResource>;
  /** `undefined`: the server has it. */
  readonly node: Uint8Array | undefined;
}
