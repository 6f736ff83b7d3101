/**
 * Configurations of HTTP filters by name and source (Envoy: `FilterConfigProviderManagerImpl`), counted by reference.
 * Workers hold each under its id, so a new one is there for the next request of every listener that uses it, and
 * nothing drains.
 *
 * As with routes the first state of any kind ends the wait: without a configuration the default serves, or requests
 * get a 500. A configuration that needs something itself, a secret, takes its place when that is there.
 */
import type { Observable, Subscription } from "rxjs";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { ListenerDependency } from "../config/decoded-listener.ts";
import { type DecodedExtensionConfig, refusalOf } from "../config/extension-config.ts";
import { type ExtensionSubscription, extensionId } from "../config/extension-subscription.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { Resource, ResourceState } from "../xds/resource-batch.ts";
import { ExtensionStats } from "./extension-stats.ts";
import type { DependencyLease } from "./listener-dependencies.ts";

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
  readonly pool: Pick<WorkerPool, "post">;
  readonly source: ExtensionSource;
  /** What configurations need themselves. */
  readonly dependencies: (dependency: ListenerDependency, onReady: () => void) => DependencyLease;
  readonly stats: MainStats;
  readonly wallTime: () => number;
  readonly log: Logger;
}

type Configuration = Resource<DecodedExtensionConfig>;

interface Entry {
  readonly id: string;
  readonly name: string;
  readonly stats: ExtensionStats;
  readonly subscriptions: Set<{
    readonly wanted: ExtensionSubscription;
    readonly onReady: () => void;
  }>;
  isReady: boolean;
  view: ExtensionView | undefined;
  /** Of the configuration that workers have. */
  needs: readonly DependencyLease[];
  /** Of a later one that cannot take its place yet. */
  pending: readonly DependencyLease[];
  subscription: Subscription | undefined;
}

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
      clusterNames: [],
      [Symbol.dispose]: () => {
        if (entry.subscriptions.delete(own) && entry.subscriptions.size === 0) this.#close(entry);
      },
    };
  }

  /** What is wrong with a configuration that was pushed, for those who wait for it: joins the NACK. */
  judge(config: DecodedExtensionConfig): readonly string[] {
    const entries = [...this.#entries.values()].filter(({ name }) => name === config.name);
    const errors = entries.flatMap((entry) => {
      const refusals = [...entry.subscriptions].flatMap(
        ({ wanted }) => refusalOf(config, wanted) ?? [],
      );
      if (refusals.length > 0) entry.stats.count("config_fail");
      return refusals;
    });
    return [...new Set(errors)];
  }

  /** It could not even be read. */
  countUnread(name: string): void {
    for (const entry of this.#entries.values())
      if (entry.name === name) entry.stats.count("config_fail");
  }

  views(): readonly ExtensionView[] {
    return [...this.#entries.values()].flatMap(({ view }) => view ?? []);
  }

  #open(id: string, wanted: ExtensionSubscription): Entry {
    const { name } = wanted;
    const entry: Entry = {
      id,
      name,
      stats: new ExtensionStats(name, this.#context.stats),
      subscriptions: new Set(),
      isReady: false,
      view: undefined,
      needs: [],
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
    disposeAll([...entry.needs, ...entry.pending]);
    entry.stats[Symbol.dispose]();
    if (entry.view) this.#context.pool.post({ kind: "removeFilterConfig", id: entry.id });
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
    for (const dependency of resource.value.filter?.dependencies ?? [])
      leases.push(this.#context.dependencies(dependency, takeIfReady));
    entry.pending = leases;
    takeIfReady();
  }

  #take(entry: Entry, resource: Configuration, needs: readonly DependencyLease[]): void {
    const { name, version, bytes, value } = resource;
    entry.pending = [];
    if (!value.filter) return;
    const before = entry.needs;
    entry.needs = needs;
    entry.view = { name, version, bytes, lastUpdatedMs: this.#context.wallTime() };
    const { config } = value.filter;
    this.#context.pool.post({ kind: "setFilterConfig", id: entry.id, config });
    // What both need is not let go in between.
    disposeAll(before);
    entry.stats.count("config_reload");
    this.#context.log.info(`ecds: add/update extension config '${name}' version '${version}'`);
    becomeReady(entry);
  }

  /** By the server: back to the default. */
  #remove(entry: Entry): void {
    disposeAll([...entry.needs, ...entry.pending]);
    entry.needs = [];
    entry.pending = [];
    if (!entry.view) return;
    entry.view = undefined;
    this.#context.pool.post({ kind: "removeFilterConfig", id: entry.id });
  }

  #warn({ name }: Entry, what: string): void {
    this.#context.log.warning(`ecds: extension config '${name}' is ${what}`);
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
