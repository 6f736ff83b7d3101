/**
 * Everything about one resource type: who subscribed to what, what is held, and what a response does
 * to both. It does not know the stream; the mux carries its interest out and responses in.
 */
import { Subject, type Observer, type Unsubscribable } from "rxjs";
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
import { compareWithHeld, replyTo } from "./sotw-state.ts";
import type { Comparison, HeldResource, Interest, Reply } from "./sotw-state.ts";
import type { SubscriptionOptions } from "./xds-client.ts";
import type { SubscriptionStats, XdsStats } from "./xds-stats.ts";
import type { NackStatus, ResourceStatus, TypeStatus } from "./xds-status.ts";

/** Envoy: `initial_fetch_timeout`, 15 s unless the config source says otherwise. */
const initialFetchTimeoutMsDefault = 15_000;

export interface TypeSubscriptionsOptions {
  readonly clock: Clock;
  readonly stats: XdsStats;
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
  readonly #answered = Promise.withResolvers<"answered" | "timeout">();
  #all: { readonly stats: SubscriptionStats; readonly timer: Disposable | undefined } | undefined;
  #allCount = 0;
  #acceptedVersion = "";
  #acceptedAtMs = 0;
  #nack: NackStatus | undefined;

  constructor(type: ResourceType<T>, options: TypeSubscriptionsOptions) {
    this.type = type;
    this.#options = options;
  }

  get interest(): Interest {
    return { all: this.#all !== undefined, names: new Set(this.#named.keys()) };
  }

  whenAnswered(): Promise<"answered" | "timeout"> {
    return this.#answered.promise;
  }

  observeBatches(
    observer: Partial<Observer<ResourceBatch<T>>>,
    options: SubscriptionOptions,
  ): Unsubscribable {
    const subscription = this.#batches.subscribe(observer);
    if (!this.type.isFullState) return subscription;
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
  async answer(response: DiscoveryResponse): Promise<Reply> {
    const { clock } = this.#options;
    const startMs = clock.now();
    const comparison = compareWithHeld(this.#held, response, this.type, this.interest);
    const decoded = await decodeAll(this.type, comparison.candidates, clock);
    const unread = [...comparison.rejected, ...decoded.rejected];
    const batch = new PendingBatch(
      response.version,
      { changed: decoded.changed, rejected: unread },
      comparison.removed,
    );
    this.#batches.next(batch);
    const refused = await batch.settled(clock);
    const rejected = [...unread, ...refused];
    const refusedNames = new Set(refused.map(({ name }) => name));
    // A refusal without a name is one of the whole batch.
    const accepted = refusedNames.has("")
      ? []
      : batch.changed.filter(({ name }) => !refusedNames.has(name));
    this.#keep(accepted, comparison);
    this.#remember(response, rejected);
    this.#tellNamed(accepted, rejected, response);
    this.#all?.timer?.[Symbol.dispose]();
    this.#answered.resolve("answered");
    const reply = replyTo(rejected, this.type);
    this.#record(response, reply, clock.now() - startMs);
    return reply;
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
    const names = new Set([...this.#held.keys(), ...this.#named.keys(), ...this.#rejected.keys()]);
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
    this.#options.onInterest();
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
    if (!this.#all) this.#held.delete(name);
    this.#options.onInterest();
  }

  /** What was refused stays as it was before: bytes that are not held are judged again next time. */
  #keep(accepted: readonly Resource<T>[], comparison: Comparison): void {
    for (const { name, version, bytes } of accepted)
      if (this.#all || this.#named.has(name)) this.#held.set(name, { version, bytes });
    for (const name of comparison.removed) this.#held.delete(name);
  }

  /** The refusals that are still true: those of this response, and those of what it does not name. */
  #remember(response: DiscoveryResponse, rejected: readonly RejectedResource[]): void {
    if (this.type.isFullState) this.#rejected.clear();
    this.#rejected.delete("");
    if (this.#rejected.size > 0)
      for (const { name } of response.resources) this.#rejected.delete(name ?? "");
    for (const refusal of rejected) {
      const errors = [...(this.#rejected.get(refusal.name)?.errors ?? []), ...refusal.errors];
      this.#rejected.set(refusal.name, { ...refusal, errors });
    }
  }

  #tellNamed(
    accepted: readonly Resource<T>[],
    rejected: readonly RejectedResource[],
    response: DiscoveryResponse,
  ): void {
    for (const resource of accepted) this.#named.get(resource.name)?.received(resource);
    for (const { name, errors } of rejected) this.#named.get(name)?.rejected(errors);
    if (!this.type.isFullState || this.#named.size === 0) return;
    const present = new Set(response.resources.map(({ name }) => name));
    for (const [name, named] of this.#named)
      if (!present.has(name) && !this.#held.has(name)) named.removed();
  }

  #record(response: DiscoveryResponse, reply: Reply, durationMs: number): void {
    const timeMs = this.#options.clock.wallTime();
    const { version } = response;
    if (reply.kind === "ack") {
      this.#acceptedVersion = version;
      this.#acceptedAtMs = timeMs;
      this.#nack = undefined;
    } else this.#nack = { version, detail: reply.detail, timeMs };
    const isEmpty = response.resources.length === 0 && !this.type.isFullState;
    this.#forEachAffected(response, (stats) => {
      stats.attempted();
      if (isEmpty) stats.empty();
      else if (reply.kind === "ack") stats.succeeded({ version, timeMs, durationMs });
      else stats.rejected();
    });
  }

  /** A partial response is an answer to those it names; a full or an empty one to all. */
  #forEachAffected(response: DiscoveryResponse, visit: (stats: SubscriptionStats) => void): void {
    if (this.type.isFullState || response.resources.length === 0) {
      this.forEachStats(visit);
      return;
    }
    for (const name of new Set(response.resources.map((resource) => resource.name ?? ""))) {
      const named = this.#named.get(name);
      if (named) visit(named.stats);
    }
  }

  #resourceStatus(name: string): ResourceStatus {
    const version = this.#held.get(name)?.version ?? "";
    const errors = this.#rejected.get(name)?.errors;
    if (errors) return { name, state: "nacked", version, errors };
    if (version !== "" || this.#held.has(name))
      return { name, state: "acked", version, errors: [] };
    const isAbsent = this.#named.get(name)?.state.kind === "absent";
    return { name, state: isAbsent ? "absent" : "requested", version, errors: [] };
  }
}
