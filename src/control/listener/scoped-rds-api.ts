/**
 * Scoped routes by name, counted by reference over all versions of all listeners. A set is ready when SRDS has said
 * its first word and the route configurations that it named then have said theirs, as in Envoy; what comes later
 * holds no listener back.
 */
import type { Observable, Subscription } from "rxjs";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { CollectionSource } from "../config/config-source.ts";
import type {
  DecodedScope,
  InlineScopes,
  ScopesBySrds,
  ScopeSubscription,
} from "../config/decoded-scope.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { ResourceBatch } from "../xds/resource-batch.ts";
import type { DependencyLease } from "./listener-dependencies.ts";
import type { RdsApi } from "./rds-api.ts";
import { ScopeSet } from "./scope-set.ts";
import type { ScopeSetView } from "./scope-view.ts";

/** Where scopes come from; a text: from nowhere, and why. */
export type ScopeSource = (source: CollectionSource, statPrefix: string) => Scopes | string;

export interface Scopes {
  readonly batches: Observable<ResourceBatch<DecodedScope>>;
  /** Settles at the first answer, good or bad, or when it did not come in time. */
  whenAnswered(): Promise<unknown>;
}

/** `http.<p>.scoped_rds.<name>.`, beside the subscription's own. */
const scopedRdsStats = defineStats({
  counters: ["config_reload"],
  gauges: ["all_scopes", "active_scopes", "on_demand_scopes", "config_reload_time_ms"],
});

export interface ScopedRdsApiContext {
  readonly pool: Pick<WorkerPool, "postTo">;
  readonly source: ScopeSource;
  readonly routes: Pick<RdsApi, "acquire">;
  readonly stats: MainStats;
  readonly wallTime: () => number;
  readonly log: Logger;
}

interface Entry {
  references: number;
  readonly set: ScopeSet;
  readonly block: number;
  subscription: Subscription | undefined;
  hasAnswered: boolean;
  isReady: boolean;
  readonly waiting: Set<() => void>;
}

export class ScopedRdsApi {
  readonly #context: ScopedRdsApiContext;
  readonly #entries = new Map<string, Entry>();
  readonly #inline = new Set<ScopeSetView>();

  constructor(context: ScopedRdsApiContext) {
    this.#context = context;
  }

  /** Sets that are subscribed to. */
  get size(): number {
    return this.#entries.size;
  }

  /** As `AcquireDependency`. */
  acquire(subscription: ScopeSubscription, onReady: () => void): DependencyLease {
    const { name, scopes } = subscription;
    if (scopes.kind === "inline") return this.#holdInline(name, scopes);
    const entry = this.#entries.get(name) ?? this.#open(subscription, scopes);
    entry.references++;
    if (!entry.isReady) entry.waiting.add(onReady);
    let isHeld = true;
    return {
      get isReady() {
        return entry.isReady;
      },
      get clusterNames() {
        return entry.set.clusterNames;
      },
      provideTo: (worker) => entry.set.provideTo(worker),
      [Symbol.dispose]: () => {
        entry.waiting.delete(onReady);
        if (isHeld) this.#release(name, entry);
        isHeld = false;
      },
    };
  }

  /** A request needs the routes of a scope. Calls back when there is nothing more to wait for. */
  want(scopes: string, scope: string, onAnswered: () => void): Disposable {
    const entry = this.#entries.get(scopes);
    if (entry) return entry.set.want(scope, onAnswered);
    onAnswered();
    return { [Symbol.dispose]: () => {} };
  }

  views(): readonly ScopeSetView[] {
    const dynamic = [...this.#entries].map(([name, { set }]) => ({
      name,
      isInline: false,
      version: set.version,
      lastUpdatedMs: set.lastUpdatedMs,
      scopes: set.views(),
    }));
    return [...this.#inline, ...dynamic];
  }

  /** Nothing to wait for; to be shown as long as the listener lives. */
  #holdInline(name: string, { views }: InlineScopes): DependencyLease {
    const lastUpdatedMs = this.#context.wallTime();
    const common = { version: "", lastUpdatedMs, routeConfigName: "", state: "active" } as const;
    const scopes = views.map((scope) => ({ ...scope, ...common }));
    const view = { name, isInline: true, version: "", lastUpdatedMs, scopes };
    this.#inline.add(view);
    return {
      isReady: true,
      clusterNames: [],
      // They are part of the listener's configuration.
      provideTo: () => {},
      [Symbol.dispose]: () => void this.#inline.delete(view),
    };
  }

  #open({ name, statPrefix }: ScopeSubscription, { source, rdsSource }: ScopesBySrds): Entry {
    const { pool, routes, stats, wallTime } = this.#context;
    const prefix = `http.${statPrefix}.scoped_rds.${name}.`;
    const entry: Entry = {
      references: 0,
      block: stats.allocator.allocate(scopedRdsStats, prefix),
      set: new ScopeSet({
        name,
        wallTime,
        postTo: (worker, command) => pool.postTo(worker, command),
        acquireRoutes: (routeConfigName, onReady) =>
          routes.acquire({ routeConfigName, statPrefix, source: rdsSource }, onReady),
        onChange: () => this.#onChange(entry),
      }),
      subscription: undefined,
      hasAnswered: false,
      isReady: false,
      waiting: new Set(),
    };
    this.#entries.set(name, entry);
    this.#subscribe(name, entry, this.#context.source(source, prefix));
    return entry;
  }

  #subscribe(name: string, entry: Entry, scopes: Scopes | string): void {
    const { log } = this.#context;
    if (typeof scopes === "string") {
      log.warning(`srds: scoped routes '${name}' have no source: ${scopes}`);
      entry.isReady = true;
      return;
    }
    entry.subscription = scopes.batches.subscribe((batch) => {
      entry.set.apply(batch);
      this.#count(entry);
      log.info(
        `srds: scoped routes '${name}' version '${batch.version}': ${entry.set.sizes.all} scopes`,
      );
    });
    void scopes.whenAnswered().then(() => {
      entry.hasAnswered = true;
      this.#onChange(entry);
    });
  }

  #onChange(entry: Entry): void {
    const { slab } = this.#context.stats;
    const { all, onDemand, active } = entry.set.sizes;
    slab.set(entry.block, scopedRdsStats.offset("all_scopes"), all);
    slab.set(entry.block, scopedRdsStats.offset("on_demand_scopes"), onDemand);
    slab.set(entry.block, scopedRdsStats.offset("active_scopes"), active);
    if (entry.isReady || !entry.hasAnswered || entry.set.loading.length > 0) return;
    entry.isReady = true;
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const onReady of waiting) onReady();
  }

  #count(entry: Entry): void {
    const { stats, wallTime } = this.#context;
    stats.slab.add(entry.block, scopedRdsStats.offset("config_reload"));
    stats.slab.set(entry.block, scopedRdsStats.offset("config_reload_time_ms"), wallTime());
  }

  #release(name: string, entry: Entry): void {
    entry.references--;
    if (entry.references > 0) return;
    this.#entries.delete(name);
    entry.subscription?.unsubscribe();
    entry.set[Symbol.dispose]();
    this.#context.stats.allocator.release(entry.block);
    for (const worker of entry.set.workers)
      this.#context.pool.postTo(worker, { kind: "removeScopes", name });
  }
}
