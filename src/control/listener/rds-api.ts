/**
 * Route configurations by name (Envoy: `RdsRouteConfigSubscription`), counted by reference over all versions
 * of all listeners. A worker has those of the listeners whose configuration it has, and every connection sees a new
 * one at once, so nothing drains for a route.
 *
 * The first state of any kind ends the wait of a warming listener, as in Envoy: refused routes or none in
 * time make it serve 404, they never hold it back for ever.
 *
 * With `vhds` the first answer of VHDS is waited for as well, as in Envoy.
 *
 * Make before break: an update that points at a cluster which still warms is held while the routes before it serve.
 */
import { isDeepStrictEqual } from "node:util";
import type { Observable, Subscription } from "rxjs";
import type { Logger } from "../../shared/common/log.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { ClusterWarming, WarmWait } from "../cluster/cluster-warming.ts";
import type { ConfigSource } from "../config/config-source.ts";
import { onDemandClustersOf } from "../config/on-demand-clusters.ts";
import type { RouteSubscription } from "../config/decoded-listener.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { Resource, ResourceState } from "../xds/resource-batch.ts";
import type { DependencyLease } from "./listener-dependencies.ts";
import type { HeldRoutesView, RouteView } from "./rds-view.ts";
import type { VhdsApi } from "./vhds-api.ts";
import type { VhdsSubscription } from "./vhds-subscription.ts";

/** Where routes come from: chosen by the subscription's source when the server is put together. */
export type RouteSource = (
  subscription: RouteSubscription,
) => Observable<ResourceState<DecodedRouteConfig>>;

interface HeldRoutes {
  readonly version: string;
  readonly sinceMs: number;
  readonly wait: WarmWait;
}

interface Entry {
  /** As listeners ask for it, and so as workers look for it, whatever the resource calls itself. */
  readonly name: string;
  readonly subscribed: RouteSubscription;
  references: number;
  isReady: boolean;
  view: RouteView | undefined;
  held: HeldRoutes | undefined;
  /** What workers have, or would. */
  value: DecodedRouteConfig | undefined;
  /** More of them, with `vhds`. */
  hosts: VhdsSubscription | undefined;
  /** Those that serve a listener with it; of the others none asks for it. */
  readonly workers: Set<number>;
  /** Where its routes may ask for clusters. */
  feeds: readonly Disposable[];
  subscription: Subscription | undefined;
  readonly waiting: Set<() => void>;
}

export interface RdsApiContext {
  readonly pool: Pick<WorkerPool, "postTo">;
  readonly source: RouteSource;
  /** Absent: no cluster is ever waited for. */
  readonly warming?: ClusterWarming;
  /** Holds a place that routes may ask for clusters from. Absent: none does. */
  readonly holdFeed?: (feed: string) => Disposable;
  /** Absent: virtual hosts are never discovered. */
  readonly vhds?: VhdsApi;
  readonly wallTime: () => number;
  readonly log: Logger;
}

export class RdsApi {
  readonly #context: RdsApiContext;
  readonly #entries = new Map<string, Entry>();

  constructor(context: RdsApiContext) {
    this.#context = context;
  }

  /** Names subscribed to. */
  get size(): number {
    return this.#entries.size;
  }

  /** As `AcquireDependency`; `clusterNames` are of the routes that workers have now. */
  acquire(subscription: RouteSubscription, onReady: () => void): Required<DependencyLease> {
    const name = subscription.routeConfigName;
    const entry = this.#entries.get(name) ?? this.#open(name, subscription);
    entry.references++;
    if (!entry.isReady) entry.waiting.add(onReady);
    let isHeld = true;
    return {
      get isReady() {
        return entry.isReady;
      },
      get clusterNames() {
        return [...(entry.value?.clusterNames ?? []), ...(entry.hosts?.clusterNames ?? [])];
      },
      provideTo: (worker) => this.#provideTo(worker, entry),
      [Symbol.dispose]: () => {
        entry.waiting.delete(onReady);
        if (isHeld) this.#release(name, entry);
        isHeld = false;
      },
    };
  }

  /** A request needs a virtual host. Calls back when there is one, or known to be none. */
  want(routes: string, host: string, onAnswered: () => void): Disposable {
    const { hosts } = this.#entries.get(routes) ?? {};
    if (hosts) return hosts.want(host, onAnswered);
    onAnswered();
    return { [Symbol.dispose]: () => {} };
  }

  views(): readonly RouteView[] {
    return [...this.#entries.values()].flatMap(({ view, held, hosts }) => {
      if (!view) return [];
      return {
        ...view,
        ...(held ? { held: heldView(held) } : {}),
        ...(hosts ? { discovered: hosts.views() } : {}),
      };
    });
  }

  #open(name: string, subscription: RouteSubscription): Entry {
    const entry: Entry = {
      name,
      subscribed: subscription,
      references: 0,
      isReady: false,
      view: undefined,
      held: undefined,
      value: undefined,
      hosts: undefined,
      workers: new Set(),
      feeds: [],
      subscription: undefined,
      waiting: new Set(),
    };
    this.#entries.set(name, entry);
    entry.subscription = this.#context
      .source(subscription)
      .subscribe((state) => this.#onState(name, entry, state));
    return entry;
  }

  #onState(name: string, entry: Entry, state: ResourceState<DecodedRouteConfig>): void {
    if (state.kind === "requested") return;
    if (state.kind === "present") this.#receive(entry, state.resource);
    else this.#context.log.warning(`rds: route configuration '${name}' is ${reasonOf(state)}`);
    if (entry.hosts?.isAnswered ?? true) becomeReady(entry);
  }

  /** The latest version counts: what was held before it is forgotten. */
  #receive(entry: Entry, resource: Resource<DecodedRouteConfig>): void {
    entry.held?.wait[Symbol.dispose]();
    entry.held = undefined;
    const wait = entry.view
      ? this.#context.warming?.waitFor(resource.value.clusterNames, () =>
          this.#apply(entry, resource),
        )
      : undefined;
    if (!wait) return this.#apply(entry, resource);
    const { name, version } = resource;
    entry.held = { version, wait, sinceMs: this.#context.wallTime() };
    this.#context.log.info(
      `rds: route configuration '${name}' version '${version}' waits for ${wait.awaiting.join(", ")}`,
    );
  }

  #apply(entry: Entry, resource: Resource<DecodedRouteConfig>): void {
    entry.held = undefined;
    const { name } = entry;
    const { version, bytes, value } = resource;
    this.#followHosts(entry, value);
    entry.view = { name, version, bytes, lastUpdatedMs: this.#context.wallTime() };
    entry.value = value;
    this.#holdFeeds(entry, value);
    for (const worker of entry.workers) this.#send(worker, entry);
    this.#context.log.info(`rds: add/update route configuration '${name}' version '${version}'`);
  }

  /** What both versions name is not let go in between. */
  #holdFeeds(entry: Entry, { config }: DecodedRouteConfig): void {
    const { holdFeed } = this.#context;
    const before = entry.feeds;
    const names = new Set(onDemandClustersOf(config).map(({ feed }) => feed));
    entry.feeds = holdFeed ? [...names].map(holdFeed) : [];
    for (const feed of before) feed[Symbol.dispose]();
  }

  #release(name: string, entry: Entry): void {
    entry.references--;
    if (entry.references > 0) return;
    this.#entries.delete(name);
    entry.subscription?.unsubscribe();
    entry.held?.wait[Symbol.dispose]();
    entry.hosts?.[Symbol.dispose]();
    for (const feed of entry.feeds) feed[Symbol.dispose]();
    if (!entry.value) return;
    for (const worker of entry.workers)
      this.#context.pool.postTo(worker, { kind: "removeRoutes", name });
  }

  #provideTo(worker: number, entry: Entry): void {
    if (entry.workers.has(worker)) return;
    entry.workers.add(worker);
    this.#send(worker, entry);
  }

  /** Under the name that listeners ask for; the resource may spell it otherwise. */
  #send(worker: number, { name, value, hosts }: Entry): void {
    if (!value) return;
    const discovered = hosts?.hosts;
    const config = { ...value.config, name, ...(discovered && { discovered }) };
    this.#context.pool.postTo(worker, { kind: "setRoutes", config });
  }

  /** The hosts that are there stay as long as they come from the same place. */
  #followHosts(entry: Entry, value: DecodedRouteConfig): void {
    if (!isDeepStrictEqual(entry.value?.vhds, value.vhds)) {
      entry.hosts?.[Symbol.dispose]();
      entry.hosts = value.vhds && this.#openHosts(entry, value.vhds);
    }
    entry.hosts?.setRoutes(value);
  }

  #openHosts(entry: Entry, source: ConfigSource): VhdsSubscription | undefined {
    const { name, subscribed, workers } = entry;
    const { vhds, pool } = this.#context;
    return vhds?.open({
      name,
      source,
      statPrefix: subscribed.statPrefix,
      onChange(change) {
        for (const worker of workers)
          pool.postTo(worker, { kind: "setVirtualHosts", routes: name, ...change });
      },
      onAnswered() {
        if (!entry.isReady) becomeReady(entry);
      },
    });
  }
}

function becomeReady(entry: Entry): void {
  entry.isReady = true;
  const waiting = [...entry.waiting];
  entry.waiting.clear();
  for (const onReady of waiting) onReady();
}

/** The first cluster that these routes may not name, if they want to be checked (`validate_clusters`). */
export function unknownClusterOf(
  { validateClusters, clusterNames }: DecodedRouteConfig,
  hasCluster: (name: string) => boolean,
): string | undefined {
  return validateClusters ? clusterNames.find((name) => !hasCluster(name)) : undefined;
}

function heldView({ version, sinceMs, wait }: HeldRoutes): HeldRoutesView {
  return { version, sinceMs, awaiting: wait.awaiting.map((name) => `cluster ${name}`) };
}

function reasonOf(
  state: Exclude<ResourceState<unknown>, { kind: "requested" | "present" }>,
): string {
  return state.kind === "absent"
    ? `absent (${state.reason})`
    : `refused: ${state.errors.join("; ")}`;
}
