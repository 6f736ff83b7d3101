/**
 * One type on one client's delta stream, seen from the server: what the client subscribed to, what it
 * holds, what it said last. Pure bookkeeping; the session does the sending.
 */
import type { Verdict } from "./client-subscription.ts";
import type { ReadDeltaRequest, VersionedResource } from "./delta-wire.ts";
import type { ServedType } from "./resource-types.ts";

export interface NextDelta {
  readonly version: string;
  readonly resources: readonly VersionedResource[];
  readonly removedNames: readonly string[];
}

export class DeltaSubscription {
  readonly type: ServedType;
  verdict: Verdict = { kind: "unsent" };
  #hasAsked = false;
  #isAll = false;
  readonly #names = new Set<string>();
  /** Name to version of what the client has, as far as was said or sent. */
  readonly #has = new Map<string, string>();
  /** Subscribed since the last response: to be answered even if the client has it or there is none. */
  readonly #fresh = new Set<string>();
  #last = { nonce: "", version: "" };

  constructor(type: ServedType) {
    this.type = type;
  }

  /** True if it answers the last response. A subscription counts whatever the nonce. */
  take(request: ReadDeltaRequest): boolean {
    this.#takeNames(request);
    if (request.nonce === "" || request.nonce !== this.#last.nonce) return false;
    const { version } = this.#last;
    this.verdict =
      request.error === undefined
        ? { kind: "acked", version }
        : { kind: "nacked", version, error: request.error };
    return true;
  }

  /** What to send now, of all resources of this type; `undefined` if the client has it already. */
  next(all: readonly VersionedResource[], version: string): NextDelta | undefined {
    const wanted = all.filter(({ name }) => this.#isAll || this.#names.has(name));
    const there = new Set(wanted.map(({ name }) => name));
    const resources = wanted.filter(
      ({ name, version: own }) => this.#has.get(name) !== own || this.#fresh.has(name),
    );
    const gone = [...this.#has.keys()].filter((name) => !there.has(name));
    const unknown = [...this.#fresh].filter((name) => !there.has(name));
    const removedNames = [...new Set([...gone, ...unknown])];
    if (resources.length === 0 && removedNames.length === 0) return undefined;
    return { version, resources, removedNames };
  }

  sent({ resources, removedNames, version }: NextDelta, nonce: string): void {
    for (const { name, version: own } of resources) this.#has.set(name, own);
    for (const name of removedNames) this.#has.delete(name);
    this.#fresh.clear();
    this.#last = { nonce, version };
    this.verdict = { kind: "waiting" };
  }

  #takeNames({ subscribe, unsubscribe, initialVersions }: ReadDeltaRequest): void {
    // Having asked for nothing by name means everything, as long as that stays so.
    if (!this.#hasAsked) {
      this.#isAll = this.type.isFullState && subscribe.length === 0;
      for (const [name, version] of initialVersions) this.#has.set(name, version);
    }
    for (const name of subscribe) {
      if (name === "*") this.#isAll = true;
      else {
        this.#names.add(name);
        if (!this.#isHeldFromBefore(name, initialVersions)) this.#fresh.add(name);
      }
    }
    for (const name of unsubscribe) {
      if (name === "*") this.#isAll = false;
      else this.#names.delete(name);
      this.#fresh.delete(name);
      // A client that names what `*` covers as well is told of it once more.
      this.#has.delete(name);
    }
    this.#hasAsked = true;
    for (const name of this.#has.keys())
      if (!this.#isAll && !this.#names.has(name)) this.#has.delete(name);
  }

  #isHeldFromBefore(name: string, initialVersions: ReadonlyMap<string, string>): boolean {
    return !this.#hasAsked && initialVersions.has(name);
  }
}
