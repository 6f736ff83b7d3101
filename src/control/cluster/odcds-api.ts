/**
 * Clusters that requests and TCP connections ask for (Envoy: `OdCdsApiImpl`). A cluster that came so lives on like one of CDS, and goes when
 * its server says so; a list of CDS that lacks it does not remove it.
 *
 * What a newcomer would get wrong: that it came is not the answer. Who waits is told when the cluster serves, and
 * workers have it by then.
 */
import { of, type Observable } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { OnDemandWant, WantOutcome } from "../../shared/protocol/on-demand.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import { WantedResources } from "../xds/wanted-resources.ts";
import type { ClusterManager } from "./cluster-manager.ts";

/** Over all places they come from; a name beyond it is not asked for. */
export const wantedClustersMax = 10_000;

/** `sluice.odcds.`: what had no answer. */
const ownStats = defineStats({ counters: ["timeouts", "wanted_clusters_overflow"] });

/** One cluster of a place; a text: there is none, and why. */
export type ClusterFeed = (
  feed: string,
  name: string,
) => Observable<ResourceState<DecodedCluster>> | string;

export type ClusterWant = Extract<OnDemandWant, { readonly kind: "cluster" }>;

export interface OdcdsApiContext {
  readonly feed: ClusterFeed;
  readonly clusters: Pick<
    ClusterManager,
    "addDemanded" | "removeDemanded" | "hasCluster" | "warming"
  >;
  readonly stats: MainStats;
  readonly clock: Clock;
  readonly log: Logger;
}

export class OdcdsApi {
  readonly #context: OdcdsApiContext;
  readonly #stats: number;
  /** By feed. */
  readonly #wanted = new Map<string, WantedResources<DecodedCluster>>();
  /** Those that came this way. */
  readonly #brought = new Set<string>();
  /** Of those the ones that nobody tells of any more: they serve as they are until somebody asks again. */
  readonly #orphans = new Set<string>();
  /** By feed, the listeners that may ask. */
  readonly #holders = new Map<string, number>();

  constructor(context: OdcdsApiContext) {
    this.#context = context;
    this.#stats = context.stats.allocator.allocate(ownStats, "sluice.odcds.");
  }

  /**
   * A listener may ask for clusters of the feed. When the last one has gone nobody can, and nothing of it stays
   * subscribed; clusters stay, as others may be served by them.
   */
  hold(feed: string): Disposable {
    this.#holders.set(feed, (this.#holders.get(feed) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (this.#holders.get(feed) ?? 0) - 1;
        if (left > 0) this.#holders.set(feed, left);
        else this.#giveUp(feed);
      },
    };
  }

  /** Names that are subscribed to. */
  get size(): number {
    return [...this.#wanted.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Calls back, maybe before it returns, when the cluster serves, is known not to exist, or took too long. */
  want(
    { feed, cluster, timeoutMs }: ClusterWant,
    onAnswered: (outcome: WantOutcome) => void,
  ): Disposable {
    const { clock, clusters, log } = this.#context;
    const search = new DisposableStack();
    const finish = (outcome: WantOutcome): void => {
      if (search.disposed) return;
      search.dispose();
      onAnswered(outcome);
    };
    const answered = (): void => finish("answered");
    const waitUntilWarm = (): void => {
      const wait = clusters.warming.waitFor([cluster], answered);
      if (wait) search.use(wait);
      else answered();
    };
    if (timeoutMs > 0) {
      const onTimeout = (): void => {
        this.#count("timeouts");
        log.info(`odcds: cluster '${cluster}' did not come within ${timeoutMs} ms`);
        finish("timeout");
      };
      search.use(clock.startTimer(timeoutMs, onTimeout));
    }
    // One that is there, the worker has been told of since it asked; one that warms is on its way.
    if (clusters.hasCluster(cluster) && !this.#orphans.has(cluster)) waitUntilWarm();
    else {
      const asked = this.#wantedOf(feed).want(cluster, waitUntilWarm);
      if (search.disposed) asked[Symbol.dispose]();
      else search.use(asked);
    }
    return search;
  }

  #giveUp(feed: string): void {
    const wanted = this.#wanted.get(feed);
    this.#holders.delete(feed);
    this.#wanted.delete(feed);
    for (const name of this.#brought) if (wanted?.has(name)) this.#orphans.add(name);
    wanted?.[Symbol.dispose]();
  }

  #wantedOf(feed: string): WantedResources<DecodedCluster> {
    const known = this.#wanted.get(feed);
    if (known) return known;
    const { clock } = this.#context;
    const wanted = new WantedResources<DecodedCluster>({
      clock,
      hasRoom: () => this.size < wantedClustersMax,
      countOverflow: () => this.#count("wanted_clusters_overflow"),
      subscribe: (name) => this.#subscribe(feed, name),
      onState: (name, state) => this.#onState(name, state),
    });
    this.#wanted.set(feed, wanted);
    return wanted;
  }

  #subscribe(feed: string, name: string): Observable<ResourceState<DecodedCluster>> {
    const states = this.#context.feed(feed, name);
    if (typeof states !== "string") return states;
    this.#context.log.warning(`odcds: cluster '${name}' has no source: ${states}`);
    return of({ kind: "rejected", errors: [states] });
  }

  #onState(name: string, state: ResourceState<DecodedCluster>): void {
    const { clusters, log } = this.#context;
    if (state.kind !== "requested") this.#orphans.delete(name);
    if (state.kind === "present") {
      this.#brought.add(name);
      const { value, version } = state.resource;
      const error = clusters.addDemanded(value, version);
      if (error !== undefined) log.warning(`odcds: cluster '${name}' is refused: ${error}`);
    } else if (state.kind === "absent" && this.#brought.delete(name)) clusters.removeDemanded(name);
  }

  #count(name: Parameters<typeof ownStats.offset>[0]): void {
    this.#context.stats.slab.add(this.#stats, ownStats.offset(name));
  }
}
