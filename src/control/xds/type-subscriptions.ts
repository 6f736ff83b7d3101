/**
 * Everything about one resource type: who subscribed to what, what is held, and what a response does
 * to both. It does not know the stream; the mux carries its interest out and responses in.
 */
import { Subject, Subscription, type Observer, type Unsubscribable } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import { NamedSubscription } from "./named-subscription.ts";
import { decodeAll, PendingBatch } from "./pending-batch.ts";
import type {
  RejectedResource,
  Resource,
  ResourceBatch,
  ResourceState,
  ResourceType,
} from "./resource-batch.ts";
import type { Comparison, HeldResource, Interest } from "./comparison.ts";
import type { Dialect } from "./conversation.ts";
import { replyTo, type Reply } from "./reply.ts";
import { ResourceExpiry } from "./resource-expiry.ts";
import type { SubscriptionOptions } from "./xds-client.ts";
import type { SubscriptionStats, XdsStats } from "./xds-stats.ts";
import type { NackStatus, ResourceStatus, TypeStatus } from "./xds-status.ts";

/** Envoy: `initial_fetch_timeout`, 15 s unless the config source says otherwise. */
const initialFetchTimeoutMsDefault = 15_000;

export interface TypeSubscriptionsOptions {
  readonly clock: Clock;
  readonly stats: XdsStats;
  /** What a response means. */
  readonly dialect: Pick<Dialect, "compare">;
  /** What is subscribed has changed: a request is due. */
  readonly onInterest: () => void;
}

export class TypeSubscriptions<T> implements Disposable {
  readonly type: ResourceType<T>;
  readonly #options: TypeSubscriptionsOptions;
  readonly #batches = new Subject<ResourceBatch<T>>();
  readonly #held = new Map<string, HeldResource>();
  readonly #named = new Map<string, NamedSubscription<T>>();
  readonly #rejected = new Map<string, RejectedResource>();
  /** By name, what the server said of a resource that it cannot give. */
  readonly #unavailable = new Map<string, string>();
  /** Nobody wants them any more, and the server does not know it yet. */
  readonly #released = new Set<string>();
  readonly #expiry: ResourceExpiry;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #answered = Promise.withResolvers<"answered" | "timeout">();
  #all: { readonly stats: SubscriptionStats; readonly timer: Disposable | undefined } | undefined;
  #allCount = 0;
  #acceptedVersion = "";
  #acceptedAtMs = 0;
  #nack: NackStatus | undefined;

  constructor(type: ResourceType<T>, options: TypeSubscriptionsOptions) {
    this.type = type;
    this.#options = options;
    this.#expiry = new ResourceExpiry(options.clock, (name) => {
      void this.#inTurn(() => this.#expire(name));
    });
  }

  get interest(): Interest {
    const { isNamedByWrapper: staysImplied = false } = this.type;
    return { all: this.#all !== undefined, names: new Set(this.#named.keys()), staysImplied };
  }

  get held(): ReadonlyMap<string, HeldResource> {
    return this.#held;
  }

  /** A request is about to tell what is subscribed now: the server may send the rest anew from then on. */
  forgetReleased(): void {
    for (const name of this.#released) {
      if (this.#named.has(name) || this.#all) continue;
      this.#held.delete(name);
      this.#expiry.stop(name);
    }
    this.#released.clear();
  }

  whenAnswered(): Promise<"answered" | "timeout"> {
    // An observer that joins in a turn of its own has then done so.
    return this.#answered.promise.then((how) => this.#lastTurn.then(() => how));
  }

  observeBatches(
    observer: Partial<Observer<ResourceBatch<T>>>,
    options: SubscriptionOptions,
  ): Unsubscribable {
    if (!this.type.isFullState) return this.#batches.subscribe(observer);
    const subscription = new Subscription();
    // In its turn: between what is held now and the next batch nothing may be missed, or seen twice.
    void this.#inTurn(() => {
      if (!subscription.closed) subscription.add(this.#joinBatches(observer));
      return Promise.resolve();
    });
    this.#acquireAll(options);
    subscription.add(() => this.#releaseAll());
    return subscription;
  }

  observeNamed(
    name: string,
    observer: Partial<Observer<ResourceState<T>>>,
    options: SubscriptionOptions,
  ): Unsubscribable {
    const known = this.#named.get(name);
    const named = known ?? this.#createNamed(name, options);
    if (!known) this.#named.set(name, named);
    const subscription = named.observe(observer);
    if (!known) this.#options.onInterest();
    subscription.add(() => this.#releaseNamed(name, named));
    return subscription;
  }

  /** Applies a response and says how to answer it. The caller sends no second one meanwhile. */
  answer(response: DiscoveryResponse): Promise<Reply> {
    return this.#inTurn(() => this.#answer(response));
  }

  async #answer(response: DiscoveryResponse): Promise<Reply> {
    const { clock, dialect } = this.#options;
    const startMs = clock.now();
    const comparison = dialect.compare(this.#held, response, this.type, this.interest);
    const decoded = await decodeAll(this.type, comparison.candidates, clock);
    const unread = [...comparison.rejected, ...decoded.rejected];
    const { accepted, refused } = await this.#deliver(
      new PendingBatch(
        response.version,
        { changed: decoded.changed, rejected: unread },
        comparison.removed,
      ),
    );
    const rejected = [...unread, ...refused];
    this.#keep(accepted, comparison);
    this.#remember(response, rejected);
    this.#tellNamed(accepted, rejected, comparison);
    this.#all?.timer?.[Symbol.dispose]();
    this.#answered.resolve("answered");
    const reply = replyTo(rejected, this.type);
    this.#record(response, reply, clock.now() - startMs);
    return reply;
  }

  /** Hands a batch to its observers and waits for them. */
  async #deliver(
    batch: PendingBatch<T>,
  ): Promise<{ accepted: readonly Resource<T>[]; refused: readonly RejectedResource[] }> {
    this.#batches.next(batch);
    const refused = await batch.settled(this.#options.clock);
    const refusedNames = new Set(refused.map(({ name }) => name));
    // A refusal without a name is one of the whole batch.
    const accepted = refusedNames.has("")
      ? []
      : batch.changed.filter(({ name }) => !refusedNames.has(name));
    return { accepted, refused };
  }

  /** Its time to live is over: as if the server had removed it, but there is nothing to answer. */
  async #expire(name: string): Promise<void> {
    if (!this.#held.has(name)) return;
    const removal = new PendingBatch<T>("", { changed: [], rejected: [] }, [name]);
    await this.#deliver(removal);
    this.#held.delete(name);
    this.#named.get(name)?.removed();
  }

  /** Responses and expiries one after another: observers never see two batches at once. */
  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  /** What came was nothing that could be read: counted, and an answer of a kind to those who wait for one. */
  fail(): void {
    this.forEachStats((stats) => stats.failed());
    this.#all?.timer?.[Symbol.dispose]();
    this.#answered.resolve("answered");
  }

  /** A stream was opened, or broke: counted for every subscription. */
  forEachStats(visit: (stats: SubscriptionStats) => void): void {
    if (this.#all) visit(this.#all.stats);
    for (const named of this.#named.values()) visit(named.stats);
  }

  status(): TypeStatus {
    const names = new Set([
      ...this.#held.keys(),
      ...this.#named.keys(),
      ...this.#rejected.keys(),
      ...this.#unavailable.keys(),
    ]);
    return {
      typeUrl: this.type.typeUrl,
      shortName: this.type.shortName,
      version: this.#acceptedVersion,
      acceptedAtMs: this.#acceptedAtMs,
      nack: this.#nack,
      resources: [...names].map((name) => this.#resourceStatus(name)),
    };
  }

  [Symbol.dispose](): void {
    this.#expiry[Symbol.dispose]();
    this.#all?.timer?.[Symbol.dispose]();
    this.#all?.stats[Symbol.dispose]();
    this.#all = undefined;
    for (const named of this.#named.values()) named[Symbol.dispose]();
    this.#named.clear();
  }

  #acquireAll(options: SubscriptionOptions): void {
    this.#allCount++;
    if (this.#all) return;
    const { clock, stats } = this.#options;
    const timeoutMs = options.initialFetchTimeoutMs ?? initialFetchTimeoutMsDefault;
    const own = stats.subscription({
      shortName: this.type.shortName,
      name: "*",
      statPrefix: options.statPrefix,
    });
    own.attempted();
    const onTimeout = (): void => {
      own.initialFetchTimedOut();
      this.#answered.resolve("timeout");
    };
    const timer = timeoutMs === 0 ? undefined : clock.startTimer(timeoutMs, onTimeout);
    this.#all = { stats: own, timer };
    this.#options.onInterest();
  }

  #releaseAll(): void {
    this.#allCount--;
    if (this.#allCount > 0 || !this.#all) return;
    this.#all.timer?.[Symbol.dispose]();
    this.#all.stats[Symbol.dispose]();
    this.#all = undefined;
    // Whoever subscribes next has to be told everything, so nothing may count as known.
    for (const name of this.#held.keys()) if (!this.#named.has(name)) this.#held.delete(name);
    this.#answered = Promise.withResolvers();
    this.#options.onInterest();
  }

  /** Whoever comes later begins with what is held. It was accepted once, so its refusals change nothing. */
  #joinBatches(observer: Partial<Observer<ResourceBatch<T>>>): Unsubscribable {
    const changed = [...this.#held].flatMap(([name, held]) => {
      const decoded = this.type.decode(held.bytes);
      return decoded.ok ? [{ name, ...held, value: decoded.value }] : [];
    });
    if (changed.length > 0)
      observer.next?.(new PendingBatch(this.#acceptedVersion, { changed, rejected: [] }, []));
    return this.#batches.subscribe(observer);
  }

  #createNamed(name: string, options: SubscriptionOptions): NamedSubscription<T> {
    const { clock, stats } = this.#options;
    return new NamedSubscription({
      initial: this.#knownState(name),
      clock,
      stats: stats.subscription({
        shortName: this.type.shortName,
        name,
        statPrefix: options.statPrefix,
      }),
      initialFetchTimeoutMs: options.initialFetchTimeoutMs ?? initialFetchTimeoutMsDefault,
    });
  }

  /** A subscription to everything may have brought it already; only its bytes were kept. */
  #knownState(name: string): ResourceState<T> {
    const held = this.#held.get(name);
    if (!held) return { kind: "requested" };
    const decoded = this.type.decode(held.bytes);
    if (!decoded.ok) return { kind: "rejected", errors: decoded.errors };
    return { kind: "present", resource: { name, ...held, value: decoded.value } };
  }

  #releaseNamed(name: string, named: NamedSubscription<T>): void {
    if (named.isObserved || this.#named.get(name) !== named) return;
    this.#named.delete(name);
    named[Symbol.dispose]();
    this.#rejected.delete(name);
    this.#unavailable.delete(name);
    this.#released.add(name);
    this.#options.onInterest();
  }

  /** What was refused stays as it was before: bytes that are not held are judged again next time. */
  #keep(accepted: readonly Resource<T>[], comparison: Comparison): void {
    // What was released meanwhile may be wanted again before the server knows, and is not sent then.
    const isWanted = (name: string): boolean =>
      this.#all !== undefined || this.#named.has(name) || this.#released.has(name);
    for (const { name, version, bytes } of accepted)
      if (isWanted(name)) this.#held.set(name, { version, bytes });
    for (const name of comparison.removed) {
      this.#held.delete(name);
      this.#expiry.stop(name);
    }
    const refreshed = new Set(accepted.map(({ name }) => name));
    for (const { name, wrapper } of comparison.candidates)
      if (refreshed.has(name) && isWanted(name)) this.#expiry.restart(name, wrapper?.ttlMs);
    for (const { name, version, wrapper } of comparison.unchanged) {
      this.#expiry.restart(name, wrapper?.ttlMs);
      const held = this.#held.get(name);
      // A version of its own has to be kept for the next stream; one of the whole response does not.
      if (wrapper && held && held.version !== version) this.#held.set(name, { ...held, version });
    }
  }

  /** The refusals that are still true: those of this response, and those of what it does not name. */
  #remember(response: DiscoveryResponse, rejected: readonly RejectedResource[]): void {
    const { removedNames } = response;
    if (this.type.isFullState && !removedNames) this.#rejected.clear();
    this.#rejected.delete("");
    if (this.#rejected.size + this.#unavailable.size > 0)
      for (const { name = "" } of response.resources) {
        this.#rejected.delete(name);
        this.#unavailable.delete(name);
      }
    for (const name of removedNames ?? []) this.#rejected.delete(name);
    for (const refusal of rejected) {
      const errors = [...(this.#rejected.get(refusal.name)?.errors ?? []), ...refusal.errors];
      this.#rejected.set(refusal.name, { ...refusal, errors });
    }
    for (const { name, code, message } of response.resourceErrors ?? [])
      if (this.#all || this.#named.has(name))
        this.#unavailable.set(name, `the management server cannot give it: ${message} (${code})`);
  }

  #tellNamed(
    accepted: readonly Resource<T>[],
    rejected: readonly RejectedResource[],
    comparison: Comparison,
  ): void {
    for (const resource of accepted) this.#named.get(resource.name)?.received(resource);
    for (const { name, errors } of rejected) this.#named.get(name)?.rejected(errors);
    for (const [name, error] of this.#unavailable) this.#named.get(name)?.rejected([error]);
    for (const name of comparison.absent) this.#named.get(name)?.removed();
  }

  #record(response: DiscoveryResponse, reply: Reply, durationMs: number): void {
    const timeMs = this.#options.clock.wallTime();
    const { version } = response;
    if (reply.kind === "ack") {
      this.#acceptedVersion = version;
      this.#acceptedAtMs = timeMs;
      this.#nack = undefined;
    } else this.#nack = { version, detail: reply.detail, timeMs };
    const isEmpty = isSilent(response) && !this.type.isFullState;
    this.#forEachAffected(response, (stats) => {
      stats.attempted();
      if (isEmpty) stats.empty();
      else if (reply.kind === "ack") stats.succeeded({ version, timeMs, durationMs });
      else stats.rejected();
    });
  }

  /** A partial response is an answer to those it names; a full or an empty one to all. */
  #forEachAffected(response: DiscoveryResponse, visit: (stats: SubscriptionStats) => void): void {
    if (this.type.isFullState || isSilent(response)) {
      this.forEachStats(visit);
      return;
    }
    const sent = response.resources.map((resource) => resource.name ?? "");
    for (const name of new Set([...sent, ...(response.removedNames ?? [])])) {
      const named = this.#named.get(name);
      if (named) visit(named.stats);
    }
  }

  #resourceStatus(name: string): ResourceStatus {
    const version = this.#held.get(name)?.version ?? "";
    const errors = this.#rejected.get(name)?.errors;
    if (errors) return { name, state: "nacked", version, errors };
    const unavailable = this.#unavailable.get(name);
    if (unavailable !== undefined)
      return { name, state: "unavailable", version, errors: [unavailable] };
    if (version !== "" || this.#held.has(name))
      return { name, state: "acked", version, errors: [] };
    const isAbsent = this.#named.get(name)?.state.kind === "absent";
    return { name, state: isAbsent ? "absent" : "requested", version, errors: [] };
  }
}

/** Neither gives nor takes anything. */
function isSilent({ resources, removedNames = [] }: DiscoveryResponse): boolean {
  return resources.length === 0 && removedNames.length === 0;
}
