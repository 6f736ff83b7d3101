/**
 * What a new version of a listener waits for before it may serve: what its configuration depends on, clusters that
 * still warm, and the start of the workers. It moves targets of versions that warm; that one is ready is for the
 * manager to act upon.
 *
 * What one would get wrong: a target may be added late. Routes that come name clusters, which may warm in their turn.
 */
import type { ClusterWarming } from "../cluster/cluster-warming.ts";
import { type DecodedListener, dependencyTargets } from "../config/decoded-listener.ts";
import type { Listener } from "./listener.ts";
import { clustersOf } from "./listener-clusters.ts";
import type { AcquireDependency } from "./listener-dependencies.ts";
import { listenerStatPrefix } from "./listener-slots.ts";

/** The target that a listener waits for until workers are started. */
const workersTarget = "workers";

export interface ListenerWarmupContext {
  readonly dependencies: AcquireDependency;
  /** Absent: no cluster is ever waited for. */
  readonly warming?: ClusterWarming;
}

export interface ListenerWarmupOwner {
  /** Whether a version of this name serves. */
  isServing(name: string): boolean;
  /** Later than `begin`; `reach` follows, unless the version has gone. */
  onTargetReady(listener: Listener, target: string): void;
}

export class ListenerWarmup {
  readonly #context: ListenerWarmupContext;
  readonly #owner: ListenerWarmupOwner;
  #hasStarted = false;
  #initialWaiters: (() => void)[] = [];

  constructor(context: ListenerWarmupContext, owner: ListenerWarmupOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  /** What a version is born waiting for. */
  targetsOf({ dependencies }: Pick<DecodedListener, "dependencies">): ReadonlySet<string> {
    const targets = new Set(dependencyTargets(dependencies));
    return this.#hasStarted ? targets : targets.add(workersTarget);
  }

  /** Asks for what it waits for; what is there already is waited for no more. */
  begin(listener: Listener): void {
    const { dependencies } = listener.decoded;
    const targets = dependencyTargets(dependencies);
    const owner = { statPrefix: listenerStatPrefix(listener.facts) };
    for (const [index, dependency] of dependencies.entries()) {
      const target = targets[index] ?? "";
      const onReady = (): void => this.#owner.onTargetReady(listener, target);
      const lease = this.#context.dependencies(dependency, onReady, owner);
      listener.dependencies.push(lease);
      if (lease.isReady) listener.become({ kind: "targetReady", target });
    }
    this.#awaitClusters(listener);
  }

  reach(listener: Listener, target: string): void {
    listener.become({ kind: "targetReady", target });
    // Routes that came name clusters, and one that served when it was asked about may warm again by now.
    this.#awaitClusters(listener);
  }

  /** From now on no version waits for workers. */
  workersStarted(): void {
    this.#hasStarted = true;
  }

  /** One that was there before workers were. */
  reachWorkers(listener: Listener): void {
    listener.become({ kind: "targetReady", target: workersTarget });
  }

  /** `resolve` is called by `settle`, when no version waits for anything but workers. */
  addInitialWaiter(resolve: () => void): void {
    this.#initialWaiters.push(resolve);
  }

  settle(warming: Iterable<Listener>): void {
    if (this.#initialWaiters.length === 0) return;
    // Of thousands that warm the first one answers, mostly.
    for (const listener of warming) if (!isWaitingForWorkersOnly(listener)) return;
    for (const resolve of this.#initialWaiters.splice(0)) resolve();
  }

  /** Make before break: what serves is not replaced by what points at clusters that still warm. */
  #awaitClusters(listener: Listener): void {
    if (!this.#owner.isServing(listener.name)) return;
    const routed = listener.dependencies.flatMap(({ clusterNames }) => clusterNames);
    for (const name of new Set([...clustersOf(listener.decoded), ...routed])) {
      const target = `cluster ${name}`;
      if (listener.isAwaiting(target)) continue;
      const onWarm = (): void => this.#owner.onTargetReady(listener, target);
      const wait = this.#context.warming?.waitFor([name], onWarm);
      if (!wait) continue;
      listener.waits.push(wait);
      listener.become({ kind: "targetAdded", target });
    }
  }
}

function isWaitingForWorkersOnly({ state }: Listener): boolean {
  if (state.kind !== "warming") return true;
  return [...state.awaiting].every((target) => target === workersTarget);
}
