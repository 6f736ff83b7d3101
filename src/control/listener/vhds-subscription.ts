/**
 * Virtual hosts of one route configuration by VHDS (Envoy: `VhdsSubscription`). All that the server has of it is
 * subscribed to, as Envoy does; a host that a request needs is asked for by its name, `<route configuration>/<host>`,
 * which the server knows as the name or an alias of the resource.
 */
import type { Observable, Subscription } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { VirtualHost, VirtualHostChange } from "../../shared/config/route-config.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { DecodedVirtualHost } from "../config/decoded-virtual-host.ts";
import type { ClusterWarming } from "../cluster/cluster-warming.ts";
import type { Resource, ResourceBatch, ResourceState } from "../xds/resource-batch.ts";
import { WantedResources } from "../xds/wanted-resources.ts";
import { DiscoveredHosts } from "./discovered-hosts.ts";
import type { DiscoveredHostView } from "./rds-view.ts";

/** Of one route configuration; a name beyond it is not asked for. */
export const wantedHostsMax = 50_000;

/** Where virtual hosts come from. */
export interface VirtualHostFeed {
  /** Of all route configurations of the server. */
  readonly batches: Observable<ResourceBatch<DecodedVirtualHost>>;
  /** Settles at the first answer, good or bad, or when it did not come in time. */
  whenAnswered(): Promise<unknown>;
  named(name: string): Observable<ResourceState<DecodedVirtualHost>>;
}

export interface VhdsContext {
  /** Of the route configuration. */
  readonly name: string;
  readonly feed: VirtualHostFeed;
  readonly warming: ClusterWarming | undefined;
  readonly hasCluster: (name: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Workers are to be told. */
  readonly onChange: (change: VirtualHostChange) => void;
  readonly onAnswered: () => void;
  readonly onDisposed: () => void;
  /** A name was not asked for, since there are too many. */
  readonly countOverflow: () => void;
}

export class VhdsSubscription implements Disposable {
  readonly #context: VhdsContext;
  readonly #hosts: DiscoveredHosts;
  readonly #views = new Map<string, DiscoveredHostView>();
  /** By host. */
  readonly #wanted: WantedResources<DecodedVirtualHost>;
  /** Changes that wait for clusters to become warm, by resource. */
  readonly #held = new Map<string, Disposable>();
  readonly #batches: Subscription;
  #validateClusters = false;
  #isAnswered = false;

  constructor(context: VhdsContext) {
    this.#context = context;
    this.#hosts = new DiscoveredHosts(context.name);
    this.#wanted = new WantedResources({
      ...context,
      hasRoom: () => this.#wanted.size < wantedHostsMax,
      subscribe: (host) => context.feed.named(`${context.name}/${host}`),
    });
    this.#batches = context.feed.batches.subscribe((batch) => this.#apply(batch));
    void context.feed.whenAnswered().then(() => {
      this.#isAnswered = true;
      context.onAnswered();
    });
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  get hosts(): readonly VirtualHost[] {
    return this.#hosts.hosts;
  }

  get clusterNames(): readonly string[] {
    return [...this.#views.values()].flatMap((view) => view.clusterNames);
  }

  views(): readonly DiscoveredHostView[] {
    return [...this.#views.values()];
  }

  /** The route configuration itself came anew. */
  setRoutes({ config, validateClusters }: DecodedRouteConfig): void {
    this.#hosts.setStatic(config.virtualHosts);
    this.#validateClusters = validateClusters;
  }

  /** A request needs a virtual host for `host`. Calls back when there is one, or known to be none. */
  want(host: string, onAnswered: () => void): Disposable {
    // The worker asked before it had heard of it; what it was told since comes before the answer. To subscribe would
    // bring the host again, under a name that is not the one that has the domain.
    if (!this.#wanted.has(host) && this.#hosts.hasDomain(host)) {
      onAnswered();
      return { [Symbol.dispose]: () => {} };
    }
    return this.#wanted.want(host, onAnswered);
  }

  [Symbol.dispose](): void {
    this.#batches.unsubscribe();
    for (const wait of this.#held.values()) wait[Symbol.dispose]();
    this.#wanted[Symbol.dispose]();
    this.#context.onDisposed();
  }

  #apply(batch: ResourceBatch<DecodedVirtualHost>): void {
    const changed = batch.changed.filter(({ name }) => this.#isOurs(name));
    const removed = batch.removed.filter((name) => this.#isOurs(name));
    for (const name of [...removed, ...changed.map((each) => each.name)]) this.#drop(name);
    const unknown = changed.filter((resource) => this.#refuseUnknownCluster(resource, batch));
    const held = changed.filter((each) => !unknown.includes(each) && this.#holdBack(each));
    const others = changed.filter((each) => !unknown.includes(each) && !held.includes(each));
    this.#change(others, removed, (name, message) => batch.refuse(name, message));
  }

  #change(
    resources: readonly Resource<DecodedVirtualHost>[],
    removed: readonly string[],
    refuse: (name: string, message: string) => void,
  ): void {
    if (resources.length + removed.length === 0) return;
    const sketches = resources.map(({ name, value }) => ({ name, host: value.host }));
    const { conflicts, ...change } = this.#hosts.apply(sketches, removed);
    for (const { name, message } of conflicts) refuse(name, message);
    const refused = new Set(conflicts.map(({ name }) => name));
    for (const { name, version, bytes, value } of resources) {
      if (refused.has(name)) continue;
      const { host, clusterNames } = value;
      const lastUpdatedMs = this.#context.clock.wallTime();
      this.#views.set(name, {
        name,
        host: host.name,
        version,
        bytes,
        lastUpdatedMs,
        clusterNames,
      });
    }
    for (const name of removed) this.#views.delete(name);
    if (change.changed.length + change.removed.length > 0) this.#context.onChange(change);
  }

  /** Make before break: one that serves is not replaced by one that points at a cluster which still warms. */
  #holdBack(resource: Resource<DecodedVirtualHost>): boolean {
    const { name, value } = resource;
    if (!this.#views.has(name)) return false;
    const { warming, log } = this.#context;
    const wait = warming?.waitFor(value.clusterNames, () => {
      this.#held.delete(name);
      this.#change([resource], [], (_, message) => log.warning(`vhds: '${name}': ${message}`));
    });
    if (!wait) return false;
    this.#held.set(name, wait);
    log.info(`vhds: virtual host '${name}' waits for ${wait.awaiting.join(", ")}`);
    return true;
  }

  #drop(name: string): void {
    this.#held.get(name)?.[Symbol.dispose]();
    this.#held.delete(name);
  }

  #refuseUnknownCluster(
    { name, value }: Resource<DecodedVirtualHost>,
    batch: ResourceBatch<DecodedVirtualHost>,
  ): boolean {
    if (!this.#validateClusters) return false;
    const unknown = value.clusterNames.find((cluster) => !this.#context.hasCluster(cluster));
    if (unknown === undefined) return false;
    batch.refuse(name, `route: unknown cluster '${unknown}'`);
    return true;
  }

  /** Up to the last slash a resource's name is that of its route configuration. */
  #isOurs(name: string): boolean {
    const end = name.lastIndexOf("/");
    return end === this.#context.name.length && name.startsWith(this.#context.name);
  }
}
