/**
 * The rules of the state-of-the-world protocol, without effects: what a response changes and what to
 * send next.
 *
 * What one would get wrong: version and nonce live differently. The version is the last one
 * *accepted*, belongs to the type and outlives the stream; the nonce is the last one *received* and
 * dies with the stream (xDS protocol, "ACK/NACK and resource type instance version").
 */
import {
  compareResources,
  type Comparison,
  type HeldResource,
  type Interest,
  type TypeRules,
} from "./comparison.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { ReceivedResource } from "./received-resource.ts";
import type { Reply } from "./reply.ts";

/** Where the conversation about one type stands. */
export interface Progress {
  /** The last accepted version; survives streams. */
  readonly version: string;
  /** The last received nonce; of this stream alone. */
  readonly nonce: string;
  /** A request for this type went out on this stream. */
  readonly hasAsked: boolean;
  /** A name was sent on this stream, after which an empty list no longer means everything. */
  readonly hasNamed: boolean;
}

export const noProgress: Progress = { version: "", nonce: "", hasAsked: false, hasNamed: false };

/**
 * Compares by bytes. In the state of the world of a full-state type what is missing was removed,
 * unless something in the response could not be read: that might be the missing one, and a broken
 * push must not remove what works. Nor do heartbeats, which name only what they keep alive.
 */
export function compareWithHeld(
  held: ReadonlyMap<string, HeldResource>,
  response: DiscoveryResponse,
  rules: TypeRules,
  interest: Interest,
): Comparison {
  const named = {
    ...response,
    resources: response.resources.map((each) => nameGiven(each, rules)),
  };
  const compared = compareResources(held, named, rules, interest);
  const { seen, isComplete } = compared;
  const isHeartbeat =
    response.resources.length > 0 &&
    response.resources.every(({ wrapper }) => wrapper?.isHeartbeat === true);
  const tellsMissing = rules.isFullState && isComplete && !isHeartbeat;
  const missing = (names: Iterable<string>): string[] =>
    tellsMissing ? [...names].filter((name) => !seen.has(name)) : [];
  return { ...compared, removed: missing(held.keys()), absent: missing(interest.names) };
}

/** A heartbeat has nothing to be named by. */
function nameGiven(
  resource: ReceivedResource,
  { typeUrl, nameOfUnnamed }: TypeRules,
): ReceivedResource {
  const isUnnamed = resource.name === "" && resource.typeUrl === typeUrl;
  if (!isUnnamed || !nameOfUnnamed) return resource;
  return { ...resource, name: nameOfUnnamed(resource.bytes) };
}

/** After a response was answered: a NACK keeps the version that was accepted before. */
export function afterReply(
  progress: Progress,
  response: Pick<DiscoveryResponse, "version" | "nonce">,
  reply: Reply,
): Progress {
  const version = reply.kind === "ack" ? response.version : progress.version;
  return { ...progress, version, nonce: response.nonce };
}

/** A new stream knows no nonce and no subscription; the version is still true. */
export function onNewStream(progress: Progress): Progress {
  return { ...noProgress, version: progress.version };
}

/**
 * The complete list of names for the next request, or `undefined` if there is nothing to ask. An
 * empty list means everything as long as no name was ever sent on the stream, and nothing
 * afterwards; `*` means everything at any time, and a collection is a name.
 */
export function namesToSend(interest: Interest, progress: Progress): readonly string[] | undefined {
  const names = [...interest.names];
  if (interest.all && interest.collection !== undefined) return [interest.collection, ...names];
  if (interest.all) return names.length > 0 || progress.hasNamed ? ["*", ...names] : [];
  return names.length > 0 || progress.hasAsked ? names : undefined;
}

/** After a request with these names went out. */
export function afterRequest(progress: Progress, names: readonly string[]): Progress {
  return { ...progress, hasAsked: true, hasNamed: progress.hasNamed || names.length > 0 };
}
