/**
 * A response against what is held, by bytes: what is new, what is the same, what is at fault. The same for
 * both variants of the protocol, which differ in what a missing name means.
 */
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { ReceivedResource } from "./received-resource.ts";
import type { RejectedResource, ResourceType } from "./resource-batch.ts";

/** What is subscribed of a type: all, some by name, or both. */
export interface Interest {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  /** All were asked for by saying nothing, and what is said by name later does not end that: VHDS as Envoy speaks it. */
  readonly staysImplied?: boolean;
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
  /** Byte for byte as held: neither decoded nor delivered. The version may be another. */
  readonly unchanged: readonly NamedResource[];
  /** Held, and gone. */
  readonly removed: readonly string[];
  /** Asked for by name, and known not to exist. */
  readonly absent: readonly string[];
  readonly rejected: readonly RejectedResource[];
}

export type TypeRules = Pick<
  ResourceType<unknown>,
  "typeUrl" | "shortName" | "isFullState" | "isNamedByWrapper"
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
  const unchanged: NamedResource[] = [];
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
      if (isAsHeld(held.get(wanted), named)) unchanged.push(one);
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
  if (!wrapper || wrapper.aliases.length === 0)
    return interest.all || interest.names.has(name) ? [name] : [];
  const names = new Set([name, ...wrapper.aliases]);
  return [...names].filter(
    (known) => interest.names.has(known) || (interest.all && known === name),
  );
}

function isAsHeld(
  held: HeldResource | undefined,
  { bytes, version, wrapper }: NamedResource,
): boolean {
  if (!held) return false;
  if (wrapper?.isHeartbeat) return held.version === version;
  return held.bytes.length === bytes.length && Buffer.compare(held.bytes, bytes) === 0;
}
