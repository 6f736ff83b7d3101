/**
 * The rules of the state-of-the-world protocol, without effects: what a response changes, whether it
 * is accepted, and what to send next.
 *
 * What one would get wrong: version and nonce live differently. The version is the last one
 * *accepted*, belongs to the type and outlives the stream; the nonce is the last one *received* and
 * dies with the stream (xDS protocol, "ACK/NACK and resource type instance version").
 */
import type { DiscoveryResponse, ReceivedResource } from "./discovery-response.ts";
import type { RejectedResource, ResourceType } from "./resource-batch.ts";

/** What is subscribed of a type: all, some by name, or both. */
export interface Interest {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
}

/** An accepted resource, kept as bytes to compare the next response with. */
export interface HeldResource {
  readonly version: string;
  readonly bytes: Uint8Array;
}

export type NamedResource = ReceivedResource & { readonly name: string };

/** A response against what is held. Each name of the response is in at most one of the lists. */
export interface Comparison {
  /** New or different bytes: to be decoded and judged. */
  readonly candidates: readonly NamedResource[];
  /** Byte for byte as held: neither decoded nor delivered. */
  readonly unchanged: readonly string[];
  readonly removed: readonly string[];
  readonly rejected: readonly RejectedResource[];
}

export interface TypeRules {
  readonly typeUrl: string;
  /** `LDS`: chooses the words of errors, and nothing else. */
  readonly shortName: string;
  readonly isFullState: boolean;
}

export type TypeWords = Pick<ResourceType<unknown>, "shortName" | "rejectionPrefix">;

export type Reply = { readonly kind: "ack" } | { readonly kind: "nack"; readonly detail: string };

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

/** What Envoy calls a resource in its errors; of other types it says no more than the error. */
const nouns: ReadonlyMap<string, string> = new Map([
  ["CDS", "cluster"],
  ["LDS", "listener"],
]);

/** A NACK longer than this would not pass a server's default limit of 4 MiB for one message. */
const detailCharactersMax = 1 << 20;

/**
 * Compares by bytes. In the state of the world of a full-state type what is missing was removed,
 * unless something in the response could not be read: that might be the missing one, and a broken
 * push must not remove what works.
 */
export function compareWithHeld(
  held: ReadonlyMap<string, HeldResource>,
  response: DiscoveryResponse,
  rules: TypeRules,
  interest: Interest,
): Comparison {
  const seen = new Set<string>();
  const candidates: NamedResource[] = [];
  const unchanged: string[] = [];
  const rejected: RejectedResource[] = [];
  let isComplete = true;
  for (const resource of response.resources) {
    const fault = faultOf(resource, rules, seen);
    if (fault) {
      rejected.push(refusalOf(resource, fault));
      isComplete &&= fault.isNamed;
      continue;
    }
    const named = resource as NamedResource;
    seen.add(named.name);
    if (!isWanted(interest, named.name)) continue;
    if (sameBytes(held.get(named.name)?.bytes, named.bytes)) unchanged.push(named.name);
    else candidates.push(named);
  }
  const removed =
    rules.isFullState && isComplete ? [...held.keys()].filter((name) => !seen.has(name)) : [];
  return { candidates, unchanged, removed, rejected };
}

/** One answer for the whole response, with every error in it: there is no NACK of one resource. */
export function replyTo(rejected: readonly RejectedResource[], type: TypeWords): Reply {
  if (rejected.length === 0) return { kind: "ack" };
  const noun = nouns.get(type.shortName);
  const prefix =
    type.rejectionPrefix ?? (noun === undefined ? "" : `Error adding/updating ${noun}(s) `);
  const lines: string[] = [];
  let characters = prefix.length;
  for (const { name, errors } of rejected) {
    const line = name === "" ? errors.join("; ") : `${name}: ${errors.join("; ")}`;
    characters += line.length + 1;
    if (characters > detailCharactersMax) break;
    lines.push(line);
  }
  const left = rejected.length - lines.length;
  if (left > 0) lines.push(`and ${left} more`);
  return { kind: "nack", detail: prefix + lines.join("\n") };
}

/** After a response was answered: a NACK keeps the version that was accepted before. */
export function afterReply(
  progress: Progress,
  response: DiscoveryResponse,
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
 * afterwards; `*` means everything at any time.
 */
export function namesToSend(interest: Interest, progress: Progress): readonly string[] | undefined {
  const names = [...interest.names];
  if (interest.all) return names.length > 0 || progress.hasNamed ? ["*", ...names] : [];
  return names.length > 0 || progress.hasAsked ? names : undefined;
}

/** After a request with these names went out. */
export function afterRequest(progress: Progress, names: readonly string[]): Progress {
  return { ...progress, hasAsked: true, hasNamed: progress.hasNamed || names.length > 0 };
}

interface Fault {
  readonly message: string;
  /** The name can be believed, so it is known which resource is at fault. */
  readonly isNamed: boolean;
}

function faultOf(
  resource: ReceivedResource,
  rules: TypeRules,
  seen: ReadonlySet<string>,
): Fault | undefined {
  const { name, typeUrl } = resource;
  if (typeUrl !== rules.typeUrl)
    return {
      message: `${typeUrl} does not match the message-wide type URL ${rules.typeUrl} in DiscoveryResponse`,
      isNamed: false,
    };
  if (name === undefined) return { message: "resource cannot be read", isNamed: false };
  if (name === "") return { message: "resource without a name", isNamed: false };
  if (seen.has(name))
    return {
      message: `duplicate ${nouns.get(rules.shortName) ?? "resource"} ${name} found`,
      isNamed: true,
    };
  return undefined;
}

function refusalOf(resource: ReceivedResource, fault: Fault): RejectedResource {
  const { name = "", version, bytes } = resource;
  return { name, version, bytes: bytes.slice(), errors: [fault.message] };
}

function isWanted(interest: Interest, name: string): boolean {
  return interest.all || interest.names.has(name);
}

function sameBytes(held: Uint8Array | undefined, received: Uint8Array): boolean {
  return (
    held !== undefined && held.length === received.length && Buffer.compare(held, received) === 0
  );
}
