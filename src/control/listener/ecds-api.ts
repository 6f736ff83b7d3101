/**
 * Configurations of filters by name and source (Envoy: `FilterConfigProviderManagerImpl`), counted by reference.
 * Workers hold each under its id, so a new one is there for the next request, or connection, of every listener that
 * uses it, and nothing drains.
 *
 * As with routes the first state of any kind ends the wait: without a configuration the default serves, or requests
 * get a 500 and connections are closed. A configuration that needs something itself, a secret or routes, takes its
 * place when that is there; what the one before it needed is let go of when no worker serves anybody by it.
 */
import type { Observable, Subscription } from "rxjs";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { ListenerDependency } from "../config/decoded-listener.ts";
import {
  type DecodedExtensionConfig,
  type DecodedFilter,
  filterOf,
  refusalOf,
} from "../config/extension-config.ts";
import { type ExtensionSubscription, extensionId } from "../config/extension-subscription.ts";
import { statPrefixesOf } from "../config/listener-facts.ts";
import type { DiscoveredFilter } from "../../shared/protocol/worker-command.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { Resource, ResourceState } from "../xds/resource-batch.ts";
import { ExtensionStats } from "./extension-stats.ts";
import { proxiedClusters } from "./listener-clusters.ts";
import type { DependencyLease } from "./listener-dependencies.ts";
import { allocateFilterSlots } from "./listener-slots.ts";

/** Where configurations come from: chosen by the subscription's source when the server is put together. */
export type ExtensionSource = (
  subscription: ExtensionSubscription,
) => Observable<ResourceState<DecodedExtensionConfig>>;

/** A configuration as `/config_dump` shows it. */
export interface ExtensionView {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
}

export interface EcdsApiContext {
  readonly pool: Pick<WorkerPool, "broadcast">;
  readonly source: ExtensionSource;
  /** What configurations need themselves. */
  readonly dependencies: (dependency: ListenerDependency, onReady: () => void) => DependencyLease;
  /** Active or warming. */
  readonly hasCluster: (name: string) => boolean;
  readonly stats: MainStats;
  readonly wallTime: () => number;
  readonly log: Logger;
}

type Configuration = Resource<DecodedExtensionConfig>;

interface Entry {
  readonly id: string;
  readonly wanted: ExtensionSubscription;
  readonly stats: ExtensionStats;
  readonly subscriptions: Set<{
    readonly wanted: ExtensionSubscription;
    readonly onReady: () => void;
  }>;
  isReady: boolean;
  view: ExtensionView | undefined;
  /** What the configuration that workers have holds. */
  held: Held;
  /** Of a later one that cannot take its place yet. */
  pending: readonly DependencyLease[];
  subscription: Subscription | undefined;
}

interface Held {
  readonly leases: readonly DependencyLease[];
  /** Clusters that it names itself. */
  readonly clusterNames: readonly string[];
  readonly slots: Disposable | undefined;
}

const nothingHeld: Held = { leases: [], clusterNames: [], slots: undefined };

export class EcdsApi {
  readonly #context: EcdsApiContext;
  readonly #entries = new Map<string, Entry>();

  constructor(context: EcdsApiContext) {
    this.#context = context;
  }

  /** As `AcquireDependency`. */
  acquire(wanted: ExtensionSubscription, onReady: () => void): DependencyLease {
    const id = extensionId(wanted);
    const entry = this.#entries.get(id) ?? this.#open(id, wanted);
    const own = { wanted, onReady };
    entry.subscriptions.add(own);
    return {
      get isReady() {
        return entry.isReady || !wanted.isWaitedFor;
      },
      get clusterNames() {
        const { leases, clusterNames } = entry.held;
        return [...clusterNames, ...leases.flatMap((lease) => lease.clusterNames)];
      },
      [Symbol.dispose]: () => {
        if (entry.subscriptions.delete(own) && entry.subscriptions.size === 0) this.#close(entry);
      },
    };
  }

  /** What is wrong with a configuration that was pushed, for those who wait for it: joins the NACK. */
  judge(config: DecodedExtensionConfig): readonly string[] {
    const entries = [...this.#entries.values()].filter(({ wanted }) => wanted.name === config.name);
    const errors = entries.flatMap((entry) => {
      const refusals = [...entry.subscriptions].flatMap(
        ({ wanted }) => refusalOf(config, wanted) ?? this.#unknownCluster(config, wanted) ?? [],
      );
      if (refusals.length > 0) entry.stats.count("config_fail");
      return refusals;
    });
    return [...new Set(errors)];
  }

  /** It could not even be read. */
  countUnread(name: string): void {
    for (const entry of this.#entries.values())
      if (entry.wanted.name === name) entry.stats.count("config_fail");
  }

  views(): readonly ExtensionView[] {
    return [...this.#entries.values()].flatMap(({ view }) => view ?? []);
  }

  #unknownCluster(
    config: DecodedExtensionConfig,
    { category }: ExtensionSubscription,
  ): string | undefined {
    const required = filterOf(config, category)?.needs.requiredClusters ?? [];
    const unknown = required.find((cluster) => !this.#context.hasCluster(cluster));
    return unknown === undefined ? undefined : `route: unknown cluster '${unknown}'`;
  }

  #open(id: string, wanted: ExtensionSubscription): Entry {
    const entry: Entry = {
      id,
      wanted,
      stats: new ExtensionStats(wanted, this.#context.stats),
      subscriptions: new Set(),
      isReady: false,
      view: undefined,
      held: nothingHeld,
      pending: [],
      subscription: undefined,
    };
    this.#entries.set(id, entry);
    entry.subscription = this.#context
      .source(wanted)
      .subscribe((state) => this.#onState(entry, state));
    return entry;
  }

  #close(entry: Entry): void {
    this.#entries.delete(entry.id);
    entry.subscription?.unsubscribe();
    this.#remove(entry);
    entry.stats[Symbol.dispose]();
  }

  #onState(entry: Entry, state: ResourceState<DecodedExtensionConfig>): void {
    switch (state.kind) {
      case "requested":
        return;
      case "present":
        return this.#receive(entry, state.resource);
      case "rejected":
        this.#warn(entry, `refused: ${state.errors.join("; ")}`);
        return becomeReady(entry);
      case "absent":
        this.#warn(entry, `absent (${state.reason})`);
        if (state.reason === "timeout") entry.stats.count("config_fail");
        else this.#remove(entry);
        return becomeReady(entry);
      default:
        return state satisfies never;
    }
  }

  /** The latest version counts: what was pending before it is forgotten. */
  #receive(entry: Entry, resource: Configuration): void {
    disposeAll(entry.pending);
    const leases: DependencyLease[] = [];
    const takeIfReady = (): void => {
      if (entry.pending === leases && leases.every((lease) => lease.isReady))
        this.#take(entry, resource, leases);
    };
    const filter = filterOf(resource.value, entry.wanted.category);
    for (const dependency of filter?.needs.dependencies ?? [])
      leases.push(this.#context.dependencies(dependency, takeIfReady));
    entry.pending = leases;
    takeIfReady();
  }

  #take(entry: Entry, resource: Configuration, leases: readonly DependencyLease[]): void {
    const { name, version, bytes, value } = resource;
    entry.pending = [];
    const filter = filterOf(value, entry.wanted.category);
    if (!filter) return;
    const { slots, discovered } = this.#prepare(filter);
    const { id, held: before } = entry;
    entry.held = { leases, clusterNames: clusterNamesOf(filter), slots };
    entry.view = { name, version, bytes, lastUpdatedMs: this.#context.wallTime() };
    const taken = this.#context.pool.broadcast((reply, worker) => {
      for (const lease of leases) lease.provideTo?.(worker);
      return { kind: "setFilterConfig", id, filter: discovered, reply };
    });
    void taken.then(() => letGo(before));
    entry.stats.count("config_reload");
    this.#context.log.info(`ecds: add/update extension config '${name}' version '${version}'`);
    becomeReady(entry);
  }

  /** A network filter counts under names of its own, which no listener has allocated. */
  #prepare(filter: DecodedFilter): {
    readonly slots: Disposable | undefined;
    readonly discovered: DiscoveredFilter;
  } {
    const { category, config } = filter;
    if (category === "HTTP filter")
      return { slots: undefined, discovered: { category: "http", config } };
    const lease = allocateFilterSlots(statPrefixesOf([config]), this.#context.stats.allocator);
    return { slots: lease, discovered: { category: "network", config, slots: lease.slots } };
  }

  /** Back to the default: by the server, or because nobody wants it. */
  #remove(entry: Entry): void {
    const { id, held: before } = entry;
    disposeAll(entry.pending);
    entry.pending = [];
    if (!entry.view) return;
    entry.held = nothingHeld;
    entry.view = undefined;
    const removed = this.#context.pool.broadcast((reply) => ({
      kind: "removeFilterConfig",
      id,
      reply,
    }));
    void removed.then(() => letGo(before));
  }

  #warn({ wanted }: Entry, what: string): void {
    this.#context.log.warning(`ecds: extension config '${wanted.name}' is ${what}`);
  }
}

function becomeReady(entry: Entry): void {
  if (entry.isReady) return;
  entry.isReady = true;
  for (const { wanted, onReady } of entry.subscriptions) if (wanted.isWaitedFor) onReady();
}

function disposeAll(leases: readonly DependencyLease[]): void {
  for (const lease of leases) lease[Symbol.dispose]();
}

function letGo({ leases, slots }: Held): void {
  disposeAll(leases);
  slots?.[Symbol.dispose]();
}

function clusterNamesOf(filter: DecodedFilter): readonly string[] {
  const { requiredClusters } = filter.needs;
  if (filter.category !== "network filter") return requiredClusters;
  return [...requiredClusters, ...proxiedClusters([filter.config])];
}
