/** `overload.`, under Envoy's names: a block for each monitor, action and load shed point that is configured. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats, type StatBlock } from "../../shared/stats/stat-group.ts";
import { connectionMonitorStats, loadShedStats } from "../../shared/stats/stat-names.ts";
import type {
  LoadShedPointName,
  OverloadActionName,
  OverloadConfig,
} from "../config/overload-manager.ts";

const managerStats = defineStats({ histograms: ["refresh_interval_delay"] });
const monitorStats = defineStats({
  counters: ["failed_updates", "skipped_updates"],
  gauges: ["pressure"],
});
const actionStats = defineStats({ gauges: ["active", "scale_percent"] });
const shrinkStats = defineStats({ counters: ["shrink_count"] });

/** Where workers count: 0, the sink, for what is not configured. */
export interface OverloadSlots {
  readonly connections: StatBlock;
  readonly accept: StatBlock;
  readonly headers: StatBlock;
}

export class OverloadStats {
  readonly #stats: MainStats;
  readonly #manager: StatBlock;
  readonly #monitors = new Map<string, StatBlock>();
  readonly #actions = new Map<OverloadActionName, StatBlock>();
  readonly #points = new Map<LoadShedPointName, StatBlock>();
  readonly #shrinks: StatBlock | undefined;
  readonly slots: OverloadSlots;

  constructor(stats: MainStats, config: OverloadConfig) {
    this.#stats = stats;
    const { allocator } = stats;
    this.#manager = allocator.allocate(managerStats, "overload.");
    let connections = 0;
    for (const { name, kind } of config.monitors) {
      const prefix = `overload.${name}.`;
      if (kind === "downstreamConnections")
        connections = allocator.allocate(connectionMonitorStats, prefix);
      else this.#monitors.set(name, allocator.allocate(monitorStats, prefix));
    }
    for (const { name } of config.actions)
      this.#actions.set(name, allocator.allocate(actionStats, actionPrefix(name)));
    this.#shrinks = this.#actions.has("shrink_heap")
      ? allocator.allocate(shrinkStats, actionPrefix("shrink_heap"))
      : undefined;
    for (const { name } of config.loadShedPoints)
      this.#points.set(
        name,
        allocator.allocate(loadShedStats, `overload.envoy.load_shed_points.${name}.`),
      );
    this.slots = {
      connections,
      accept: this.#points.get("tcp_listener_accept") ?? 0,
      headers: this.#points.get("http_connection_manager_decode_headers") ?? 0,
    };
  }

  refreshed(sinceMs: number): void {
    this.#stats.slab.record(this.#manager, managerStats.offset("refresh_interval_delay"), sinceMs);
  }

  setPressure(monitor: string, pressure: number): void {
    this.#set(this.#monitors.get(monitor), monitorStats.offset("pressure"), percent(pressure));
  }

  failed(monitor: string): void {
    const block = this.#monitors.get(monitor);
    if (block !== undefined) this.#stats.slab.add(block, monitorStats.offset("failed_updates"));
  }

  setAction(name: OverloadActionName, scale: number): void {
    const block = this.#actions.get(name);
    this.#set(block, actionStats.offset("active"), scale >= 1 ? 1 : 0);
    this.#set(block, actionStats.offset("scale_percent"), percent(scale));
  }

  setLoadShed(name: LoadShedPointName, scale: number): void {
    this.#set(this.#points.get(name), loadShedStats.offset("scale_percent"), percent(scale));
  }

  shrunk(): void {
    if (this.#shrinks !== undefined)
      this.#stats.slab.add(this.#shrinks, shrinkStats.offset("shrink_count"));
  }

  #set(block: StatBlock | undefined, offset: number, value: number): void {
    if (block !== undefined) this.#stats.slab.set(block, offset, value);
  }
}

function actionPrefix(name: OverloadActionName): string {
  return `overload.envoy.overload_actions.${name}.`;
}

/** Whole ones, cut off as Envoy does; 0.29 × 100 is to be 29 all the same. */
function percent(share: number): number {
  return Math.floor(share * 100 + 1e-9);
}
