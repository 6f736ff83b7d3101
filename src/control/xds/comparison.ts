/**
 * A response against what is held: what is new, what is the same, what is at fault. The same for both variants of
 * the protocol, which differ in what a missing name means.
 */
import { isInCollection } from "../proto/xdstp-name.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import { isPermutation } from "./permutation.ts";
import type { ReceivedResource } from "./received-resource.ts";
import type { RejectedResource, ResourceType } from "./resource-batch.ts";

/** What is subscribed of a type: all, some by name, or both. */
export interface Interest {
  /** Everything, or everything in a collection. */
  readonly all: boolean;
  /** The glob collection that `all` means; absent: no matter which. */
  readonly collection?: string | undefined;
  readonly names: ReadonlySet<string>;
  /** All were asked for by saying nothing, and what is said by name later does not end that: VHDS as Envoy speaks it. */
  readonly staysImplied?: boolean;
}

/** Whether a resource of this name was asked for. */
export function isWanted(
  name: string,
  {
    all,
    collection,
    names,
  }: Omit<Interest, "names"> & { readonly names: Pick<ReadonlySet<string>, "has"> },
): boolean {
  if (names.has(name)) return true;
  return all && (collection === undefined || isInCollection(name, collection));
}

/** An accepted resource, kept as bytes to compare the next response with. */
export interface HeldResource {
  readonly version: string;
  /** What it calls itself, where that is not the name it is held by. */
  readonly ownName?: string;
  readonly bytes: Uint8Array;
}

export type NamedResource = ReceivedResource & { readonly name: string };

/** `isSpelledAnew`: other bytes, the same meaning. */
export type UnchangedResource = NamedResource & { readonly isSpelledAnew?: true };

/** A response against what is held. Each name of the response is in at most one of the lists. */
export interface Comparison {
  /** New or different bytes: to be decoded and judged. */
  readonly candidates: readonly NamedResource[];
  /** As held, if not byte for byte then in meaning: neither decoded nor delivered. The version may be another. */
  readonly unchanged: readonly UnchangedResource[];
  /** Held, and gone. */
  readonly removed: readonly string[];
  /** Asked for by name, and known not to exist. */
  readonly absent: readonly string[];
  readonly rejected: readonly RejectedResource[];
}

export type TypeRules = Pick<
  ResourceType<unknown>,
  "typeUrl" | "shortName" | "isFullState" | "isEquivalent" | "isNamedByWrapper" | "nameOfUnnamed"
>;

/** What the resources of a response are, before anything is said of those it lacks. */
export interface ComparedResources extends Pick<
  Comparison,
  "candidates" | "unchanged" | "rejected"
> {
  /** Asked for by name, and sent without a resource: there is none. */
  readonly empty: readonly string[];
  /** Every name that was sent, good or not. */
  readonly seen: ReadonlySet<string>;
  /** Nothing is at fault that might be a resource whose name is not known. */
  readonly isComplete: boolean;
}

/** What Envoy calls a resource in its errors; of other types it says no more than the error. */
export const nouns: ReadonlyMap<string, string> = new Map([
  ["CDS", "cluster"],
  ["LDS", "listener"],
]);

export function compareResources(
  held: ReadonlyMap<string, HeldResource>,
  response: DiscoveryResponse,
  rules: TypeRules,
  interest: Interest,
): ComparedResources {
  const seen = new Set<string>();
  const candidates: NamedResource[] = [];
  const unchanged: UnchangedResource[] = [];
  const rejected: RejectedResource[] = [];
  const empty: string[] = [];
  let isComplete = true;
  for (const resource of response.resources) {
    const fault = faultOf(resource, rules, seen);
    if (fault) {
      rejected.push(refusalOf(resource, fault));
      if (fault.isNamed && resource.name !== undefined) seen.add(resource.name);
      isComplete &&= fault.isNamed;
      continue;
    }
    const named = resource as NamedResource;
    seen.add(named.name);
    for (const wanted of wantedNames(named, interest)) {
      const one = wanted === named.name ? named : { ...named, name: wanted };
      const before = held.get(wanted);
      if (before && isAsHeld(before, named)) unchanged.push(one);
      else if (before && meansTheSame(before, named, rules))
        unchanged.push({ ...one, isSpelledAnew: true });
      else if (!named.wrapper?.isHeartbeat) candidates.push(one);
      // A heartbeat for what is not held has nothing to give; without a time to live it is none.
      else if (named.wrapper.ttlMs === undefined && !held.has(wanted)) empty.push(wanted);
    }
  }
  return { candidates, unchanged, rejected, empty, seen, isComplete };
}

export function refusalOf(resource: ReceivedResource, fault: Fault): RejectedResource {
  const { name = "", version, bytes } = resource;
  return { name, version, bytes: bytes.slice(), errors: [fault.message] };
}

export interface Fault {
  readonly message: string;
  /** The name can be believed, so it is known which resource is at fault. */
  readonly isNamed: boolean;
}

function faultOf(
  resource: ReceivedResource,
  rules: TypeRules,
  seen: ReadonlySet<string>,
): Fault | undefined {
  const { name, typeUrl, wrapper } = resource;
  if (typeUrl !== rules.typeUrl && !wrapper?.isHeartbeat && resource.fault === undefined)
    return {
      message: `${typeUrl} does not match the message-wide type URL ${rules.typeUrl} in DiscoveryResponse`,
      isNamed: false,
    };
  if (name === undefined) {
    const reason = resource.fault === undefined ? "" : `: ${resource.fault}`;
    return { message: `resource cannot be read${reason}`, isNamed: false };
  }
  if (name === "") return { message: "resource without a name", isNamed: false };
  if (seen.has(name))
    return {
      message: `duplicate ${nouns.get(rules.shortName) ?? "resource"} ${name} found`,
      isNamed: true,
    };
  return nameFault(name, resource, rules);
}

/** An `xdstp` name or an alias says where a resource is, so the resource need not repeat it. */
function nameFault(
  name: string,
  { wrapper, fault }: ReceivedResource,
  { isNamedByWrapper = false }: TypeRules,
): Fault | undefined {
  if (!wrapper || wrapper.isHeartbeat) return undefined;
  if (fault !== undefined) return { message: `resource cannot be read: ${fault}`, isNamed: true };
  const { innerName = "", aliases } = wrapper;
  const isKnown = innerName === name || aliases.length > 0;
  if (isKnown || isNamedByWrapper || name.startsWith("xdstp:")) return undefined;
  return { message: `Unexpected resource (expecting ${name}): ${innerName}`, isNamed: true };
}

/** Under each name it was asked for: its own and its aliases. */
function wantedNames({ name, wrapper }: NamedResource, interest: Interest): readonly string[] {
  if (!wrapper || wrapper.aliases.length === 0) return isWanted(name, interest) ? [name] : [];
  const names = new Set([name, ...wrapper.aliases]);
  return [...names].filter(
    (known) => interest.names.has(known) || (known === name && isWanted(name, interest)),
  );
}

function isAsHeld(held: HeldResource, { bytes, version, wrapper }: NamedResource): boolean {
  if (wrapper?.isHeartbeat) return held.version === version;
  return held.bytes.length === bytes.length && Buffer.compare(held.bytes, bytes) === 0;
}

/** To read and compare whole messages is dear, and nearly always the first look tells. */
function meansTheSame(held: HeldResource, { bytes }: NamedResource, rules: TypeRules): boolean {
  return isPermutation(held.bytes, bytes) && rules.isEquivalent?.(held.bytes, bytes) === true;
}
