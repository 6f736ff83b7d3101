/**
 * A type on a delta stream.
 *
 * What one would get wrong: a change of subscriptions counts whatever the nonce of its request, and a name that is
 * subscribed is answered, even if there is no such resource or the client has it (xDS protocol, "Incremental xDS").
 */
import type { ServedResource, WrittenResource } from "./discovery-wire.ts";
import type { ReadDeltaRequest } from "./delta-wire.ts";
import { indexOf } from "./resource-names.ts";
import type { ServedType } from "./resource-types.ts";
import { resourceVersion, versionOf } from "./resource-version.ts";
import { ResponseLog } from "./response-log.ts";
import type { NextResponse, Removals, TypeSubscription } from "./type-subscription.ts";

/** Resources that a client wants, each with the names that it asked for it by. */
type Wanted = ReadonlyMap<ServedResource, readonly string[]>;

/** Of what a client may have or not: no resource has it. */
const unknownVersion = "";

export class DeltaSubscription implements TypeSubscription<ReadDeltaRequest> {
  readonly type: ServedType;
  readonly responses = new ResponseLog();
  readonly names = new Set<string>();
  isAll = false;
  #hasAsked = false;
  /** Name to version of what the client has, as far as was said or sent. */
  readonly #held = new Map<string, string>();
  /** Subscribed since the last response: to be answered in any case. */
  readonly #fresh = new Set<string>();

  constructor(type: ServedType) {
    this.type = type;
  }

  take({ subscribe, unsubscribe, initialVersions }: ReadDeltaRequest): void {
    const isFirst = !this.#hasAsked;
    if (isFirst) {
      this.#hasAsked = true;
      // To name nothing at first means everything, until `*` is unsubscribed.
      this.isAll = this.type.isFullState && subscribe.length === 0;
      for (const [name, version] of initialVersions) this.#held.set(name, version);
    }
    for (const name of subscribe) {
      if (name === "*") this.isAll = true;
      else this.names.add(name);
      if (name !== "*" && !(isFirst && initialVersions.has(name))) this.#fresh.add(name);
    }
    for (const name of unsubscribe) this.#unsubscribe(name);
  }

  next(all: readonly ServedResource[], removals: Removals): NextResponse | undefined {
    const index = indexOf(this.type, all);
    const version = versionOf(all);
    const resources: WrittenResource[] = [];
    for (const [one, askedBy] of this.#wantedOf(all)) {
      const isAnswer = this.#fresh.has(one.name) || askedBy.some((name) => this.#fresh.has(name));
      if (isAnswer || !this.#has(index.own(one.name) ?? one))
        resources.push(writtenOf(one, askedBy));
    }
    const gone = [...this.#held.keys()].filter((name) => index.own(name) === undefined);
    const missing = [...this.#fresh].filter((name) => index.find(name) === undefined);
    const isHeld = removals === "held" && this.type.isReferredTo;
    const removed = new Set(isHeld ? [] : gone);
    for (const name of missing)
      if (this.type.isOnDemand) resources.push(unresolved(this.type, name, version));
      else removed.add(name);
    if (this.#isGreetingDue && this.type.isOnDemand && this.names.size === 0)
      for (const name of namespacesOf(all)) resources.push(unresolved(this.type, name, version));
    const isDue = resources.length > 0 || removed.size > 0 || this.#isGreetingDue;
    return isDue ? { version, resources, removedNames: [...removed] } : undefined;
  }

  sent({ resources, removedNames }: NextResponse): void {
    for (const { name, version, bytes } of resources) if (bytes) this.#held.set(name, version);
    for (const name of removedNames) this.#held.delete(name);
    this.#fresh.clear();
  }

  heartbeat(all: readonly ServedResource[]): NextResponse | undefined {
    const resources: WrittenResource[] = [];
    for (const one of this.#wantedOf(all).keys())
      if (one.ttlMs !== undefined && this.#has(one))
        resources.push({ ...writtenOf(one, []), bytes: undefined });
    if (resources.length === 0) return undefined;
    return { version: versionOf(all), resources, removedNames: [] };
  }

  /** A proxy waits for a first response, also for one that says there is nothing. */
  get #isGreetingDue(): boolean {
    const isAwaited = this.isAll || this.type.isOnDemand;
    return isAwaited && this.responses.sentCount === 0 && this.#held.size === 0;
  }

  #has(one: ServedResource): boolean {
    return this.#held.get(one.name) === resourceVersion(one);
  }

  #wantedOf(all: readonly ServedResource[]): Wanted {
    const wanted = new Map<ServedResource, string[]>();
    if (this.isAll) for (const one of all) wanted.set(one, []);
    const index = indexOf(this.type, all);
    for (const name of this.names) {
      const one = index.find(name);
      if (!one) continue;
      const askedBy = wanted.get(one);
      if (askedBy) askedBy.push(name);
      else wanted.set(one, [name]);
    }
    return wanted;
  }

  /** What is on its way is taken all the same by a client that asks for everything again before it comes. */
  #forgetUnnamed(): void {
    const mayCome = this.responses.isWaiting;
    for (const held of this.#held.keys()) {
      if (this.names.has(held)) continue;
      if (mayCome) this.#held.set(held, unknownVersion);
      else this.#held.delete(held);
    }
  }

  #unsubscribe(name: string): void {
    if (name === "*") {
      this.isAll = false;
      this.#forgetUnnamed();
      return;
    }
    const wasNamed = this.names.delete(name);
    this.#fresh.delete(name);
    this.#held.delete(name);
    // A client that named what `*` covers as well is told of it once more, or that it is not there.
    if (wasNamed && this.isAll) this.#fresh.add(name);
  }
}

function writtenOf(one: ServedResource, askedBy: readonly string[]): WrittenResource {
  const others = new Set([...(one.aliases ?? []), ...askedBy]);
  others.delete(one.name);
  const aliases = others.size > 0 ? [...others] : undefined;
  return { ...one, version: resourceVersion(one), aliases };
}

/** Nothing but the name: the proxy goes on with the request that waits for it, without. */
function unresolved({ typeUrl }: ServedType, name: string, version: string): WrittenResource {
  return { name, typeUrl, bytes: undefined, version, aliases: [name] };
}

/**
 * The route configurations that virtual hosts are on offer for, as names that stand for none of them. Envoy's first
 * request names nothing, and its listener waits until it has heard of its route configuration.
 */
function namespacesOf(all: readonly ServedResource[]): ReadonlySet<string> {
  const names = all.map(({ name }) => name.slice(0, name.indexOf("/") + 1));
  return new Set(names.filter((name) => name !== ""));
}
