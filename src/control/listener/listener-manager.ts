/**
 * All that moves a listener between the sets warming, active and draining (Envoy: `ListenerManagerImpl`). Every
 * event runs in one queue, to its end: what a task has read is true until it is done, across its awaits too.
 *
 * Where this is not Envoy: a listener that cannot begin to listen leaves the active one alone; one that is added
 * before workers start is warming until they have; a change that means nothing is adopted without a drain.
 */
import { assert } from "../../shared/common/assert.ts";
import type { SocketAddress } from "../../shared/common/address.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { Clock } from "../../shared/common/clock.ts";
import { SerialQueue } from "../../shared/common/serial-queue.ts";
import { TimeSlices } from "../../shared/common/time-slices.ts";
import type { DrainDirection, DrainPolicy } from "../../shared/drain/drain.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { DecodedListener, ListenerDependency } from "../config/decoded-listener.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerInquiry } from "../workers/worker-inquiry.ts";
import type { RejectedResource } from "../xds/resource-batch.ts";
import type { DrainError } from "./drain-desk.ts";
import { noSuchListener } from "./drain-errors.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { DrainRunner } from "./drain-runner.ts";
import { AcceptStop } from "./accept-stop.ts";
import type { Listener, ListenerResource } from "./listener.ts";
import { type ConnectionDrainOrder, ListenerDrains } from "./listener-drains.ts";
import { ListenerErrors } from "./listener-errors.ts";
import { ListenerFactory, type ListenerFactoryContext } from "./listener-factory.ts";
import { type JudgeRules, judgeListener } from "./listener-judge.ts";
import { ListenerPlanner } from "./listener-planner.ts";
import type { SocketLease } from "./listener-sockets.ts";
import { ListenerSets } from "./listener-sets.ts";
import { ListenerManagerStats } from "./listener-stats.ts";
import {
  type ListenerComparison,
  removedFilterChains,
  type UpdateKind,
  type UpdatePlan,
} from "./listener-update.ts";
import type { ListenersView } from "./listener-view.ts";
import { ListenerWarmup, type ListenerWarmupContext } from "./listener-warmup.ts";
import { type ListenerPool, ListenerWorkers } from "./listener-workers.ts";
import type { PlanView } from "./plan-view.ts";
import type { PlannedPush } from "./push-plan.ts";
import { changeText } from "./update-text.ts";

/** Beyond this many listeners, workers get a configuration at the first connection only. */
export const lazyThresholdDefault = 32;

export interface ListenerManagerContext extends ListenerFactoryContext, ListenerWarmupContext {
  readonly pool: ListenerPool;
  readonly limits: Pick<SharedLimits, "allocate" | "release" | "isZero" | "read" | "write">;
  /** Why a dependency can never be served; absent: each may. */
  readonly refusalOf?: (dependency: ListenerDependency) => string | undefined;
  /** Workers can ask where a connection was going; absent: they can. */
  readonly knowsRedirects?: boolean;
  readonly inquiry: Pick<WorkerInquiry, "ask">;
  readonly drains: DrainRunner;
  readonly drainDefaults: DrainPolicy;
  readonly comparison: ListenerComparison;
  /** Active or warming, whatever brought it. */
  readonly hasCluster: (name: string) => boolean;
  readonly clock: Clock;
  readonly lazyThreshold?: number;
}

/** One push: a batch of xDS. */
export interface ListenerBatch {
  readonly version: string;
  readonly changed: readonly { readonly value: DecodedListener }[];
  readonly removed: readonly string[];
  /** Refused before it could be read: to show. */
  readonly rejected?: readonly RejectedResource[];
  /** Joins the NACK. */
  refuse(name: string, message: string): void;
}

export interface BoundListener {
  readonly tag: ListenerTag;
  readonly localAddress: SocketAddress;
  readonly hash: string;
}

type ApplicablePlan = Extract<UpdatePlan, { kind: "new" | UpdateKind }>;

export class ListenerManager {
  readonly #context: ListenerManagerContext;
  readonly #queue: SerialQueue;
  readonly #stats: ListenerManagerStats;
  readonly #workers: ListenerWorkers;
  readonly #drains: ListenerDrains;
  readonly #factory: ListenerFactory;
  readonly #warmup: ListenerWarmup;
  readonly #subscription: Disposable;
  readonly #rules: JudgeRules;
  readonly #planner: ListenerPlanner;

  // Changed by tasks of the queue only.
  readonly #sets = new ListenerSets();
  readonly #errors = new ListenerErrors();
  #version = "";
  readonly #stop: AcceptStop;

  constructor(context: ListenerManagerContext) {
    this.#context = context;
    this.#queue = new SerialQueue(context.clock);
    this.#stats = new ListenerManagerStats(context.stats);
    const { comparison, hasCluster, refusalOf, knowsRedirects = true } = context;
    this.#rules = {
      comparison,
      hasCluster,
      refusalOf,
      knowsRedirects,
      versionsOf: (name) => this.#sets.versionsOf(name),
      isStopped: (facts) => this.#stop.covers(facts),
    };
    this.#planner = new ListenerPlanner(context, this.#rules, this.#sets);
    this.#workers = new ListenerWorkers(context, this.#stats);
    this.#factory = new ListenerFactory(context);
    this.#warmup = new ListenerWarmup(context, {
      isServing: (name) => this.#sets.active.has(name),
      onTargetReady: (listener, target) => void this.#onTargetReady(listener, target),
    });
    this.#drains = new ListenerDrains({
      ...context,
      workers: this.#workers,
      stats: this.#stats,
      isUncounted: (listener) => context.limits.isZero(listener.holdings.connections.index, 1),
      onDrained: (listener) => this.#run(() => this.#forget(listener)),
    });
    this.#stop = new AcceptStop({
      sets: this.#sets,
      workers: this.#workers,
      stats: this.#stats,
      errors: this.#errors,
      dropWarming: (listener) => this.#dropWarming(listener),
      apply: async (resource, isStatic) =>
        this.#sayLate(resource, await this.#addOrUpdate(resource, isStatic)),
      openSockets: (listener) => context.sockets.acquire(listener.facts, listener),
      onRefused: (listener, error) => this.#sayLate(listener.resource, error),
    });
    this.#subscription = context.pool.subscribe({
      onEvent: (worker, event) => this.#onWorkerEvent(worker, event),
    });
  }

  /**
   * Applies a push: removals before additions, so that a new name may take a removed one's address (Envoy:
   * "do not change the order"). Good listeners are applied whatever the others are. Settles when all is
   * decided; warming goes on after it. A bad resource is refused, never a rejection.
   */
  apply(batch: ListenerBatch): Promise<void> {
    return this.#run(async () => {
      this.#errors.clear();
      for (const unread of batch.rejected ?? [])
        this.#errors.addUnread(unread, this.#context.clock.wallTime());
      let isApplied = await this.#remove(batch.removed);
      const slices = new TimeSlices(this.#context.clock);
      for (const { value } of batch.changed) {
        if (slices.isOver) await slices.next();
        const resource = this.#resource(value, batch.version);
        const error = await this.#addOrUpdate(resource, false);
        if (error === undefined) isApplied = true;
        else this.#refuse(resource, error, batch);
      }
      if (isApplied) this.#version = batch.version;
    });
  }

  /** Adds a listener of the bootstrap: never updated, never removed. The error, or undefined. */
  addStatic(decoded: DecodedListener): Promise<string | undefined> {
    return this.#run(() => this.#addOrUpdate(this.#resource(decoded, ""), true));
  }

  /** From now on listeners serve as soon as they are warm. */
  startWorkers(): Promise<void> {
    return this.#run(async () => {
      this.#warmup.workersStarted();
      this.#stats.setWorkersStarted();
      const slices = new TimeSlices(this.#context.clock);
      for (const listener of this.#sets.warming.values()) {
        if (slices.isOver) await slices.next();
        this.#warmup.reachWorkers(listener);
        await this.#activateLate(listener);
      }
    });
  }

  /** Resolves when no listener waits for anything but the workers. */
  whenInitialized(): Promise<void> {
    return new Promise((resolve) => {
      this.#warmup.addInitialWaiter(resolve);
      void this.#run(() => {});
    });
  }

  /**
   * Stops accepting on all listeners, or on inbound ones, for the rest of the process: sockets are closed,
   * connections live on, updates are skipped (Envoy: `stopListeners`, sticky). Removals still work.
   */
  stopListeners(direction: DrainDirection): Promise<void> {
    return this.#run(() => this.#stop.stop(direction));
  }

  /** Stops accepting until `resumeListeners`, as another process serves at what is kept. Updates wait until then. */
  pauseListeners(keeps: (lease: SocketLease) => boolean): Promise<void> {
    return this.#run(() => this.#stop.pause(keeps));
  }

  resumeListeners(): Promise<void> {
    return this.#run(() => this.#stop.resume());
  }

  /** Drains connections that an active listener has now; it goes on serving. */
  drainConnections(order: ConnectionDrainOrder): DrainRecord | DrainError {
    const listener = this.#sets.active.get(order.listener);
    if (!listener) return noSuchListener(order.listener);
    return this.#drains.drainConnections(listener, order);
  }

  /** What a push would do, and how many connections that are open now would drain. Changes nothing. */
  async plan(push: PlannedPush): Promise<PlanView> {
    const plans = await this.#run(() => this.#planner.judge(push));
    // Not in the queue: a worker that does not answer would hold back every push.
    return this.#planner.view(plans);
  }

  /** Where active listeners are bound, and what they are there: equal hashes mean equal listeners. */
  boundListeners(): readonly BoundListener[] {
    return [...this.#sets.active.values()].flatMap(({ tag, sockets, decoded }) =>
      sockets.map(({ localAddress }) => ({ tag, localAddress, hash: decoded.hash })),
    );
  }

  /** Connections of any listener that carries traffic, those on their way from one worker to another too. */
  get hasTraffic(): boolean {
    for (const { facts, holdings } of this.#sets.held.values())
      if (facts.carriesTraffic && !this.#context.limits.isZero(holdings.connections.index, 1))
        return true;
    return false;
  }

  view(): ListenersView {
    return {
      version: this.#version,
      listeners: this.#sets.all().map((listener) => listener.view()),
      errors: this.#errors.view(),
      skipped: this.#errors.skipped(),
    };
  }

  /** Closes every socket at once, without a drain: the process ends. */
  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const listener of this.#sets.all()) {
      listener.releaseSockets();
      listener.release();
      listener.holdings.drainManager[Symbol.dispose]();
    }
  }

  /** One event. Gauges follow from the sets after each. */
  #run<T>(task: () => T | Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      try {
        return await task();
      } finally {
        const { warming, active, draining } = this.#sets;
        this.#stats.setSizes(warming.size, active.size, draining.size);
        this.#warmup.settle(warming.values());
      }
    });
  }

  async #remove(names: readonly string[]): Promise<boolean> {
    const { active, warming } = this.#sets;
    const retired: { readonly listener: Listener; readonly drain: DrainRecord }[] = [];
    let isApplied = false;
    const slices = new TimeSlices(this.#context.clock);
    for (const name of names) {
      if (slices.isOver) await slices.next();
      this.#errors.endSkip(name);
      this.#stop.forget(name);
      const listener = active.get(name);
      const dropped = warming.get(name);
      if (!(listener ?? dropped) || (listener ?? dropped)?.identity.isStatic) continue;
      isApplied = true;
      this.#stats.count("listener_removed");
      this.#context.log.info(`lds: remove listener '${name}'`);
      if (dropped) this.#dropWarming(dropped);
      if (listener) retired.push({ listener, drain: this.#retire(listener, undefined) });
    }
    const stops: Promise<void>[] = [];
    for (const { listener } of retired) {
      if (slices.isOver) await slices.next();
      if (!listener.isStopped) stops.push(this.#workers.stop(listener));
    }
    await Promise.all(stops);
    slices.restart();
    for (const { listener, drain } of retired) {
      if (slices.isOver) await slices.next();
      listener.releaseSockets();
      this.#drains.tell(drain);
    }
    return isApplied;
  }

  /** The error that refuses the resource, or undefined. */
  #addOrUpdate(
    resource: ListenerResource,
    isStatic: boolean,
  ): Promise<string | undefined> | string | undefined {
    const { facts } = resource.decoded;
    const { name } = facts;
    const active = this.#sets.active.get(name);
    const warming = this.#sets.warming.get(name);
    const verdict = judgeListener(resource.decoded, isStatic, this.#rules);
    if (verdict.kind === "skipped") {
      this.#stop.miss(resource, isStatic);
      return this.#skip(resource, verdict.reason);
    }
    this.#errors.endSkip(name);
    switch (verdict.kind) {
      case "unchanged":
        return undefined;
      case "refused":
        return verdict.error;
      case "revert":
        if (warming) this.#dropWarming(warming);
        return this.#adopt(active, resource);
      case "adopt":
        return this.#adopt(verdict.target === "active" ? active : warming, resource);
      case "new":
      case "live":
      case "inPlace":
      case "full":
        return this.#warm(resource, verdict, isStatic);
      default:
        return verdict satisfies never;
    }
  }

  /** Not an error, the control plane gets its ACK as from Envoy; but it is said. */
  #skip(resource: ListenerResource, reason: string): undefined {
    const { name } = resource.decoded.facts;
    this.#errors.skip(resource, reason);
    this.#context.log.warning(`lds: listener '${name}' is skipped: ${reason}`);
  }

  #refuse(resource: ListenerResource, error: string, batch: ListenerBatch): void {
    const { name } = resource.decoded.facts;
    this.#errors.add(resource, error);
    this.#context.log.warning(`lds: listener '${name}' is refused: ${error}`);
    batch.refuse(name, error);
  }

  #adopt(listener: Listener | undefined, resource: ListenerResource): undefined {
    assert(listener, "an update adopted by no listener");
    listener.adopt(resource);
    this.#stats.count("listener_modified");
    this.#context.log.info(
      `lds: update listener '${listener.name}' version '${resource.version}': means the same, nothing drains`,
    );
  }

  async #warm(
    resource: ListenerResource,
    plan: ApplicablePlan,
    isStatic: boolean,
  ): Promise<string | undefined> {
    const { facts } = resource.decoded;
    const active = this.#sets.active.get(facts.name);
    const awaiting = this.#warmup.targetsOf(resource.decoded);
    const created = await this.#factory.create({ resource, plan, isStatic, active, awaiting });
    if (!created.ok) {
      if (created.isCounted) this.#stats.count("listener_create_failure");
      return created.error;
    }
    const { listener } = created;
    const replaced = this.#sets.warming.get(facts.name);
    if (replaced) this.#dropWarming(replaced);
    this.#sets.warming.set(facts.name, listener);
    this.#stats.count(plan.kind === "new" ? "listener_added" : "listener_modified");
    // Envoy counts it for whatever leaves the listener's sockets alone.
    if (plan.kind === "inPlace" || plan.kind === "live")
      this.#stats.count("listener_in_place_updated");
    this.#context.log.info(`lds: ${changeText(listener.identity, listener.version)}`);
    this.#warmup.begin(listener);
    return this.#activateIfWarm(listener);
  }

  #onTargetReady(listener: Listener, target: string): Promise<void> {
    return this.#run(async () => {
      if (listener.state.kind !== "warming") return;
      this.#warmup.reach(listener, target);
      await this.#activateLate(listener);
    });
  }

  /** As `activateIfWarm`, when there is no push left to refuse. */
  async #activateLate(listener: Listener): Promise<void> {
    this.#sayLate(listener.resource, await this.#activateIfWarm(listener));
  }

  #sayLate(resource: ListenerResource, error: string | undefined): void {
    if (error === undefined) return;
    this.#errors.addLate(resource, error, this.#context.clock.wallTime());
    this.#context.log.error(`listener '${resource.decoded.facts.name}' cannot listen: ${error}`);
  }

  /** Lets a listener serve that waits for nothing. The error when it cannot listen: then it is dropped. */
  async #activateIfWarm(listener: Listener): Promise<string | undefined> {
    if (!listener.isWarm) return undefined;
    for (const lease of listener.sockets) {
      const error = lease.startListening();
      if (error === undefined) continue;
      this.#stats.count("listener_create_failure");
      this.#dropWarming(listener);
      return error;
    }
    const { warming, active, held } = this.#sets;
    const old = active.get(listener.name);
    warming.delete(listener.name);
    listener.become({ kind: "activated" });
    active.set(listener.name, listener);
    held.set(listener.tag, listener);
    if (!old) this.#workers.add(listener, this.#isEager());
    else if (old.tag === listener.tag) this.#supersede(old, listener);
    else await this.#replace(old, listener);
    listener.forgetConfig();
    return undefined;
  }

  #supersede(old: Listener, next: Listener): void {
    this.#workers.updateFilterChains(next);
    old.become({ kind: "superseded" });
    old.releaseSockets();
    this.#factory.versionIsGone(old);
    const chains = removedFilterChains(old.config, next.config);
    this.#drains.drainFilterChains(old, chains, next.identity.changed);
  }

  async #replace(old: Listener, next: Listener): Promise<void> {
    const drain = this.#retire(old, next);
    await this.#workers.replace(old, next, this.#isEager());
    old.releaseSockets();
    this.#drains.tell(drain);
  }

  /** Moves it to the draining set. `next`: what takes its place; undefined: it was removed. */
  #retire(listener: Listener, next: Listener | undefined): DrainRecord {
    const { active, draining } = this.#sets;
    if (active.get(listener.name) === listener) active.delete(listener.name);
    draining.add(listener);
    return this.#drains.retire(listener, {
      cause: next ? "lds-replace" : "lds-remove",
      updateClass: next ? "full" : undefined,
      changed: next?.identity.changed ?? [],
    });
  }

  /** It never served: nothing drains. */
  #dropWarming(listener: Listener): void {
    this.#sets.warming.delete(listener.name);
    listener.become({ kind: "dropped" });
    listener.releaseSockets();
    listener.release();
    if (this.#sets.active.get(listener.name)?.tag !== listener.tag) {
      this.#factory.releaseTag(listener);
    }
    this.#factory.versionIsGone(listener);
  }

  /** Its drain has ended and no worker holds it. */
  #forget(listener: Listener): void {
    this.#sets.draining.delete(listener);
    this.#sets.held.delete(listener.tag);
    listener.become({ kind: "drained" });
    listener.release();
    this.#factory.releaseTag(listener);
    this.#factory.versionIsGone(listener);
  }

  #onWorkerEvent(worker: number, event: WorkerEvent): void {
    if (event.kind !== "listenerConfigWanted") return;
    const listener = this.#sets.held.get(event.tag);
    if (!listener) return;
    const { tag, config } = listener;
    listener.provideTo(worker);
    this.#context.pool.postTo(worker, { kind: "listenerConfig", tag, config });
  }

  #resource(decoded: DecodedListener, version: string): ListenerResource {
    return { decoded, version, wallMs: this.#context.clock.wallTime() };
  }

  #isEager(): boolean {
    return this.#sets.held.size <= (this.#context.lazyThreshold ?? lazyThresholdDefault);
  }
}
