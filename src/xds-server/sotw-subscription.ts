/**
 * A type on a stream of the state of the world.
 *
 * What one would get wrong: of listeners and clusters each response is everything, and what is missing is removed; of
 * all other types a response may be a part, and says nothing of what is not in it (xDS protocol, "Grouping
 * Resources into Responses"). No names at all means everything only until the first name. And a client that comes
 * back with the current version is sent everything all the same: it may have applied a part of what it then
 * refused, or dropped what it did not want for a while, and the version that it accepted last tells neither.
 */
import type { ReadRequest, ServedResource, WrittenResource } from "./discovery-wire.ts";
import type { ServedType } from "./resource-types.ts";
import { resourceVersion, versionOf } from "./resource-version.ts";
import { ResponseLog } from "./response-log.ts";
import type { NextResponse, Removals, TypeSubscription } from "./type-subscription.ts";
import type { Answer } from "./verdict.ts";

export class SotwSubscription implements TypeSubscription<ReadRequest> {
  readonly type: ServedType;
  readonly responses = new ResponseLog();
  names: ReadonlySet<string> = new Set();
  #hasNamed = false;
  /** What the client has of this stream, by name. */
  readonly #held = new Map<string, ServedResource>();
  /** In the last response, which was refused: part of the next, though unchanged. */
  readonly #refused = new Set<string>();
  /** Named since the last response. */
  readonly #fresh = new Set<string>();
  /** Names by nonce, the oldest first, of responses without an answer: a NACK may come when newer ones are under way. */
  readonly #unanswered = new Map<string, readonly string[]>();
  /** Held, if the client did not drop them. */
  readonly #doubted = new Set<string>();
  /** Of all that was wanted when something was sent last. */
  #sentVersion = "";

  constructor(type: ServedType) {
    this.type = type;
  }

  get isAll(): boolean {
    return this.names.has("*") || (this.type.isFullState && !this.#hasNamed);
  }

  take(request: ReadRequest, answer: Answer | undefined): void {
    this.#settle(request.nonce, answer);
    // Whatever an outdated request asks for, a newer one is on its way that says it again; not so what it did not want.
    if (request.nonce !== this.responses.lastNonce) return this.#doubt(request.names);
    for (const name of request.names) if (!this.names.has(name)) this.#fresh.add(name);
    if (this.responses.sentCount === 0) this.#fresh.delete("*");
    this.names = new Set(request.names);
    this.#hasNamed ||= request.names.length > 0;
    if (this.responses.sentCount === 0 && request.version !== "")
      this.responses.verdict = { kind: "acked", version: request.version };
    for (const name of this.#fresh) if (!this.names.has(name)) this.#fresh.delete(name);
    // What is asked for again was forgotten: a cluster that warms anew wants its endpoints anew.
    for (const name of this.#held.keys()) if (!this.#wants(name)) this.#held.delete(name);
    this.#dropDoubted();
  }

  next(all: readonly ServedResource[], removals: Removals): NextResponse | undefined {
    const wanted = this.#wantedOf(all, removals);
    const version = versionOf(wanted);
    if (version === this.#sentVersion && this.#fresh.size === 0) return undefined;
    const isNews = wanted.some((one) => !this.#has(one));
    if (this.type.isFullState) {
      const isFirst = this.responses.sentCount === 0;
      const isDue = isFirst || isNews || this.#fresh.size > 0 || this.#hasMoreThan(wanted);
      return isDue ? { version, resources: wanted.map(toWritten), removedNames: [] } : undefined;
    }
    if (!isNews) return undefined;
    const part = wanted.filter((one) => !this.#has(one) || this.#refused.has(one.name));
    return { version, resources: part.map(toWritten), removedNames: [] };
  }

  sent({ version, resources }: NextResponse, nonce: string): void {
    this.#sentVersion = version;
    this.#fresh.clear();
    this.#refused.clear();
    this.#unanswered.set(
      nonce,
      resources.map(({ name }) => name),
    );
    if (this.type.isFullState) this.#held.clear();
    for (const { bytes, ...resource } of resources)
      if (bytes) this.#held.set(resource.name, toServed(resource, bytes));
  }

  /** A response with all bytes arms a TTL anew in any client; one without would remove what is not in it. */
  heartbeat(all: readonly ServedResource[]): NextResponse | undefined {
    const wanted = this.#wantedOf(all, "held");
    const mortal = wanted.filter(({ ttlMs }) => ttlMs !== undefined);
    if (mortal.length === 0 || this.responses.sentCount === 0) return undefined;
    const resources = (this.type.isFullState ? wanted : mortal).map(toWritten);
    return { version: versionOf(wanted), resources, removedNames: [] };
  }

  /** An answer settles what was sent before it too, as in the log of responses, so no more is kept than there. */
  #settle(nonce: string, answer: Answer | undefined): void {
    if (!answer) return;
    const names = this.#unanswered.get(nonce) ?? [];
    if (answer.kind === "nacked") for (const name of names) this.#refused.add(name);
    for (const older of this.#unanswered.keys()) {
      if (!this.#unanswered.has(nonce)) break;
      this.#unanswered.delete(older);
    }
  }

  /** For a while the client did not want them, so it may have dropped what it was sent. */
  #doubt(wanted: readonly string[]): void {
    if (wanted.includes("*") || (this.type.isFullState && !this.#hasNamed)) return;
    for (const name of this.#held.keys()) if (!wanted.includes(name)) this.#doubted.add(name);
  }

  /** Once the client has caught up: sent at a doubt, each answer would be outdated by the next. */
  #dropDoubted(): void {
    if (this.#doubted.size === 0) return;
    for (const name of this.#doubted) this.#held.delete(name);
    this.#doubted.clear();
    this.#sentVersion = "";
  }

  #hasMoreThan(wanted: readonly ServedResource[]): boolean {
    const there = new Set(wanted.map(({ name }) => name));
    return [...this.#held.keys()].some((name) => !there.has(name));
  }

  #wantedOf(all: readonly ServedResource[], removals: Removals): readonly ServedResource[] {
    // The list itself, whose version is known.
    const wanted = this.isAll ? all : all.filter(({ name }) => this.#wants(name));
    const mayKeep = this.type.isFullState && this.type.isReferredTo;
    if (removals === "now" || !mayKeep) return wanted;
    const there = new Set(wanted.map(({ name }) => name));
    const gone = [...this.#held.values()].filter(({ name }) => !there.has(name));
    return gone.length === 0 ? wanted : [...wanted, ...gone];
  }

  #wants(name: string): boolean {
    return this.isAll || this.names.has(name);
  }

  #has(resource: ServedResource): boolean {
    const held = this.#held.get(resource.name);
    return held !== undefined && resourceVersion(held) === resourceVersion(resource);
  }
}

function toWritten(resource: ServedResource): WrittenResource {
  return { ...resource, version: resourceVersion(resource) };
}

function toServed(resource: Omit<WrittenResource, "bytes">, bytes: Uint8Array): ServedResource {
  const { name, typeUrl, ttlMs, aliases } = resource;
  return {
    name,
    typeUrl,
    bytes,
    ...(ttlMs !== undefined && { ttlMs }),
    ...(aliases !== undefined && { aliases }),
  };
}
