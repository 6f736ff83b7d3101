/**
 * Everything about one resource type: who subscribed to what, what is held, and what a response does
 * to both. It does not know the stream; the mux carries its interest out and responses in.
 */
import { Subject, Subscription, type Observer, type Unsubscribable } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import { canonicalName } from "../proto/xdstp-name.ts";
import { TimeSlices } from "../../shared/common/time-slices.ts";
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
import { type Comparison, type HeldResource, type Interest, isWanted } from "./comparison.ts";
import type { Dialect } from "./conversation.ts";
import { replyTo, type Reply } from "./reply.ts";
import { ResourceFailures } from "./resource-failures.ts";
import { ResourceExpiry } from "./resource-expiry.ts";
import type { SubscriptionOptions } from "./xds-client.ts";
import type { SubscriptionStats, XdsStats } from "./xds-stats.ts";
import type { NackStatus, ResourceStatus, TypeStatus } from "./xds-status.ts";

/** Envoy: `initial_fetch_timeout`, 15 s unless the config source says otherwise. */
const initialFetchTimeoutMsDefault = 15_000;
/** Resources: to read the envelope of so many takes a slice of time, and to compare them another. */
const largeResponse = 1_000;

export interface TypeSubscriptionsOptions {
  readonly clock: Clock;
  readonly stats: XdsStats;
  /** What a response means. */
  readonly dialect: Pick<Dialect, "compare">;
  /** What is subscribed has changed: a request is due. */
  readonly onInterest: () => void;
}

/** `acceptedAtMs`: milliseconds since 1970, of these bytes. */
type StoredResource = HeldResource & { readonly acceptedAtMs: number };

export class TypeSubscriptions<T> implements Disposable {
  readonly type: ResourceType<T>;
  readonly #options: TypeSubscriptionsOptions;
  readonly #batches = new Subject<ResourceBatch<T>>();
  readonly #held = new Map<string, StoredResource>();
  readonly #named = new Map<string, NamedSubscription<T>>();
  readonly #failures = new ResourceFailures();
  /** Nobody wants them any more, and the server does not know it yet. */
  readonly #released = new Set<string>();
  readonly #expiry: ResourceExpiry;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #answered = Promise.withResolvers<"answered" | "timeout">();
  #accepted = Promise.withResolvers<void>();
  #all:
    | {
        readonly stats: SubscriptionStats;
        readonly timer: Disposable | undefined;
        readonly collection: string | undefined;
      }
    | undefined;
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
    const { collection } = this.#all ?? {};
    const { isNamedByWrapper: staysImplied = false } = this.type;
    const names = new Set(this.#named.keys());
    return { all: this.#all !== undefined, collection, names, staysImplied };
  }

  get held(): ReadonlyMap<string, HeldResource> {
    return this.#held;
  }

  /** A request is about to tell what is subscribed now: the server may send the rest anew from then on. */
  forgetReleased(): void {
    for (const name of this.#released) {
      if (this.#isWanted(name)) continue;
      this.#held.delete(name);
      this.#expiry.stop(name);
    }
    this.#released.clear();
  }

  whenAnswered(): Promise<"answered" | "timeout"> {
    // An observer that joins in a turn of its own has then done so.
    return this.#answered.promise.then((how) => this.#lastTurn.then(() => how));
  }

  whenAccepted(): Promise<void> {
    return this.#accepted.promise;
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
    asked: string,
    observer: Partial<Observer<ResourceState<T>>>,
    options: SubscriptionOptions,
  ): Unsubscribable {
    const name = canonicalName(asked);
    const known = this.#named.get(name);
    const named = known ?? this.#createNamed(asked, options);
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
    const slices = new TimeSlices(clock);
    // To read its envelope was this turn's work.
    if (response.resources.length >= largeResponse) await slices.next();
    const comparison = dialect.compare(this.#held, response, this.type, this.interest);
    const decoded = await decodeAll(this.type, comparison.candidates, slices);
    const unread = [...comparison.rejected, ...decoded.rejected];
    const { accepted, refused } = await this.#deliver(
      new PendingBatch(
        response.version,
        { changed: decoded.changed, rejected: unread },
        comparison.removed.map((name) => this.#held.get(name)?.ownName ?? name),
      ),
    );
    const rejected = [...unread, ...refused];
    this.#keep(accepted, comparison);
    this.#failures.note(response, rejected, {
      isFullList: this.type.isFullState && !response.removedNames,
      isWanted: (name) => this.#isWanted(name),
      timeMs: clock.wallTime(),
    });
    await this.#tellNamed(response, accepted, comparison);
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
    const { ownName = name } = this.#held.get(name) ?? {};
    const removal = new PendingBatch<T>("", { changed: [], rejected: [] }, [ownName]);
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
    const names = new Set([...this.#held.keys(), ...this.#named.keys(), ...this.#failures.names]);
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
    this.#all = { stats: own, timer, collection: options.collection };
    this.#options.onInterest();
  }

  #releaseAll(): void {
    this.#allCount--;
    if (this.#allCount > 0 || !this.#all) return;
    this.#all.timer?.[Symbol.dispose]();
    this.#all.stats[Symbol.dispose]();
    this.#all = undefined;
    // Whoever subscribes next has to be told everything, so nothing may count as known.
    for (const name of this.#held.keys()) {
      if (this.#named.has(name)) continue;
      this.#held.delete(name);
      this.#expiry.stop(name);
    }
    this.#forgetErrorsUnlessWanted();
    this.#answered = Promise.withResolvers();
    this.#accepted = Promise.withResolvers();
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

  /** Counted under the name as it was asked for. */
  #createNamed(name: string, options: SubscriptionOptions): NamedSubscription<T> {
    const { clock, stats } = this.#options;
    return new NamedSubscription({
      initial: this.#knownState(canonicalName(name)),
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
    this.#failures.forget(name);
    this.#released.add(name);
    this.#forgetErrorsUnlessWanted();
    this.#options.onInterest();
  }

  /** Of the empty name: whether anything is. */
  #isWanted(name: string): boolean {
    if (name === "") return this.#all !== undefined || this.#named.size > 0;
    const { collection } = this.#all ?? {};
    return isWanted(name, { all: this.#all !== undefined, collection, names: this.#named });
  }

  /** A refusal whose resource has no name goes with the last who wanted any of the type. */
  #forgetErrorsUnlessWanted(): void {
    if (!this.#all && this.#named.size === 0) this.#failures.clear();
  }

  /** What was refused stays as it was before: bytes that are not held are judged again next time. */
  #keep(accepted: readonly Resource<T>[], comparison: Comparison): void {
    // What was released meanwhile may be wanted again before the server knows, and is not sent then.
    const acceptedAtMs = this.#options.clock.wallTime();
    const isKept = (name: string): boolean => this.#isWanted(name) || this.#released.has(name);
    for (const { name, ownName, version, bytes } of accepted)
      if (isKept(name))
        this.#held.set(name, {
          version,
          bytes,
          acceptedAtMs,
          ...(ownName !== undefined && { ownName }),
        });
    for (const name of comparison.removed) {
      this.#held.delete(name);
      this.#expiry.stop(name);
    }
    const refreshed = new Set(accepted.map(({ name }) => name));
    for (const { name, wrapper } of comparison.candidates)
      if (refreshed.has(name) && isKept(name)) this.#expiry.restart(name, wrapper?.ttlMs);
    for (const { name, version, wrapper, bytes, isSpelledAnew } of comparison.unchanged) {
      this.#expiry.restart(name, wrapper?.ttlMs);
      const held = this.#held.get(name);
      // By the present spelling the next response tells at once that nothing changed.
      if (held && isSpelledAnew) this.#held.set(name, { ...held, version, bytes: bytes.slice() });
      // A version of its own has to be kept for the next stream; one of the whole response does not.
      else if (wrapper && held && held.version !== version)
        this.#held.set(name, { ...held, version });
    }
  }

  async #tellNamed(
    { resources, resourceErrors = [] }: DiscoveryResponse,
    accepted: readonly Resource<T>[],
    comparison: Comparison,
  ): Promise<void> {
    const slices = new TimeSlices(this.#options.clock);
    for (const resource of accepted) {
      if (slices.isOver) await slices.next();
      this.#named.get(resource.name)?.received(resource);
    }
    for (const { name = "" } of [...resources, ...resourceErrors]) {
      const failure = this.#failures.of(name);
      if (failure) this.#named.get(name)?.rejected(failure.errors);
    }
    for (const name of comparison.absent) this.#named.get(name)?.removed();
  }

  #record(response: DiscoveryResponse, reply: Reply, durationMs: number): void {
    const timeMs = this.#options.clock.wallTime();
    const { version } = response;
    if (reply.kind === "ack") {
      this.#acceptedVersion = version;
      this.#acceptedAtMs = timeMs;
      this.#nack = undefined;
      this.#accepted.resolve();
    } else this.#nack = { version, detail: reply.detail, timeMs };
    const isEmpty = isSilent(response) && !this.type.isFullState;
    this.#forEachAffected(response, (stats) => {
      stats.attempted();
      if (isEmpty) stats.empty();
      else if (reply.kind === "ack") stats.succeeded({ version, timeMs, durationMs });
      else stats.rejected();
    });
  }

  /** A partial response is an answer to those it names, and to who asked for all; a full or an empty one to all. */
  #forEachAffected(response: DiscoveryResponse, visit: (stats: SubscriptionStats) => void): void {
    if ((this.type.isFullState && !response.removedNames) || isSilent(response)) {
      this.forEachStats(visit);
      return;
    }
    if (this.#all) visit(this.#all.stats);
    const sent = response.resources.map((resource) => resource.name ?? "");
    for (const name of new Set([...sent, ...(response.removedNames ?? [])])) {
      const named = this.#named.get(name);
      if (named) visit(named.stats);
    }
  }

  #resourceStatus(name: string): ResourceStatus {
    const held = this.#held.get(name);
    const named = this.#named.get(name);
    const version = held?.version ?? "";
    const failure = this.#failures.of(name);
    if (failure) {
      const { kind, errors, timeMs, bytes } = failure;
      const refused = kind === "nacked" ? { version: failure.version, bytes } : undefined;
      return { name, version, state: kind, errors, sinceMs: timeMs, refused };
    }
    const common = { name, version, errors: [], refused: undefined };
    if (held) return { ...common, state: "acked", sinceMs: held.acceptedAtMs };
    const state = named?.state.kind === "absent" ? "absent" : "requested";
    return { ...common, state, sinceMs: named?.sinceMs ?? 0 };
  }
}

/** Neither gives nor takes anything. */
function isSilent({ resources, removedNames = [] }: DiscoveryResponse): boolean {
  return resources.length === 0 && removedNames.length === 0;
}
