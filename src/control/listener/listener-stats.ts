/**
 * `listener_manager.`, under Envoy's names. Gauges are set from the sizes of the sets after every
 * change, never counted up and down, so they cannot drift.
 */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

export const listenerManagerStats = defineStats({
  counters: [
    "listener_added",
    "listener_modified",
    "listener_removed",
    "listener_in_place_updated",
    "listener_create_success",
    "listener_create_failure",
    "listener_stopped",
  ],
  gauges: [
    "total_listeners_warming",
    "total_listeners_active",
    "total_listeners_draining",
    "total_filter_chains_draining",
    "workers_started",
    // Of `enable_worker_cpu_affinity`, which is warned of: none is.
    "workers_pinned",
  ],
});

/** `sluice.listener_manager.`: bounds that were hit. */
const ownStats = defineStats({ counters: ["unanswered_stops"] });

export type ListenerCounter =
  | "listener_added"
  | "listener_modified"
  | "listener_removed"
  | "listener_in_place_updated"
  | "listener_create_success"
  | "listener_create_failure"
  | "listener_stopped";

export class ListenerManagerStats {
  readonly #stats: MainStats;
  readonly #block: number;
  readonly #own: number;

  constructor(stats: MainStats) {
    this.#stats = stats;
    this.#own = stats.allocator.allocate(ownStats, "sluice.listener_manager.");
    this.#block = stats.allocator.allocate(listenerManagerStats, "listener_manager.");
  }

  count(name: ListenerCounter, amount = 1): void {
    this.#stats.slab.add(this.#block, listenerManagerStats.offset(name), amount);
  }

  /** A worker did not say within the bound that it has stopped accepting. */
  countUnansweredStop(): void {
    this.#stats.slab.add(this.#own, ownStats.offset("unanswered_stops"));
  }

  setSizes(warming: number, active: number, draining: number): void {
    this.#set("total_listeners_warming", warming);
    this.#set("total_listeners_active", active);
    this.#set("total_listeners_draining", draining);
  }

  setFilterChainsDraining(count: number): void {
    this.#set("total_filter_chains_draining", count);
  }

  setWorkersStarted(): void {
    this.#set("workers_started", 1);
  }

  #set(name: Parameters<typeof listenerManagerStats.offset>[0], value: number): void {
    this.#stats.slab.set(this.#block, listenerManagerStats.offset(name), value);
  }
}
