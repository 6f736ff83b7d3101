/**
 * What main counts of clusters, under Envoy's names: `cluster_manager.` and, beside what workers count under the same
 * prefix, `cluster.<name>.`. Gauges are set from sizes.
 */
import { type HostConfig, isExcluded } from "../../shared/config/cluster-config.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { type StatBlock, defineStats } from "../../shared/stats/stat-group.ts";
import { clusterMembershipStats } from "../../shared/stats/stat-names.ts";

export const clusterManagerStats = defineStats({
  counters: ["cluster_added", "cluster_modified", "cluster_removed", "cluster_updated"],
  gauges: ["active_clusters", "warming_clusters"],
});

/** `cluster.<name>.` of STRICT_DNS; those of EDS are the xDS subscription's. */
export const dnsClusterStats = defineStats({
  counters: [
    "update_attempt",
    "update_success",
    "update_failure",
    "update_empty",
    "update_no_rebuild",
  ],
});

export class ClusterManagerStats {
  readonly #stats: MainStats;
  readonly #block: number;

  constructor(stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(clusterManagerStats, "cluster_manager.");
  }

  count(name: "cluster_added" | "cluster_modified" | "cluster_removed" | "cluster_updated"): void {
    this.#stats.slab.add(this.#block, clusterManagerStats.offset(name));
  }

  setSizes(active: number, warming: number): void {
    const { slab } = this.#stats;
    slab.set(this.#block, clusterManagerStats.offset("active_clusters"), active);
    slab.set(this.#block, clusterManagerStats.offset("warming_clusters"), warming);
  }
}

/** One cluster's own. */
export class ClusterMembershipStats implements Disposable {
  readonly #stats: MainStats;
  readonly block: StatBlock;

  constructor(stats: MainStats, prefix: string) {
    this.#stats = stats;
    this.block = stats.allocator.allocate(clusterMembershipStats, prefix);
  }

  setWarming(isWarming: boolean): void {
    this.#set("warming_state", isWarming ? 1 : 0);
  }

  setHosts(hosts: readonly HostConfig[]): void {
    const withHealth = (health: HostConfig["health"]): number =>
      hosts.filter((host) => host.health === health).length;
    this.#set("membership_total", hosts.length);
    this.#set("membership_healthy", withHealth("healthy"));
    this.#set("membership_degraded", withHealth("degraded"));
    this.#set("membership_excluded", hosts.filter(isExcluded).length);
    const heaviest = hosts.reduce((most, host) => Math.max(most, host.weight), 0);
    this.#set("max_host_weight", heaviest);
  }

  countChange(): void {
    this.#stats.slab.add(this.block, clusterMembershipStats.offset("membership_change"));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.block);
  }

  #set(name: Parameters<typeof clusterMembershipStats.offset>[0], value: number): void {
    this.#stats.slab.set(this.block, clusterMembershipStats.offset(name), value);
  }
}
