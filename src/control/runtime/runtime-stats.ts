/** `runtime.` under Envoy's names; the subscriptions of RTDS layers count under the same prefix. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

/** The two of deprecated features stay 0: none is guarded by a key here. */
export const runtimeStats = defineStats({
  counters: [
    "load_success",
    "load_error",
    "override_dir_exists",
    "override_dir_not_exists",
    "deprecated_feature_use",
  ],
  gauges: [
    "num_keys",
    "num_layers",
    "admin_overrides_active",
    "deprecated_feature_seen_since_process_start",
  ],
});

export interface RuntimeLoad {
  readonly keys: number;
  readonly layers: number;
  readonly diskLayers: number;
  readonly hasAdminOverrides: boolean;
  readonly isComplete: boolean;
}

export class RuntimeStats {
  readonly #stats: MainStats;
  readonly #block: number;

  constructor(stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(runtimeStats, "runtime.");
  }

  loaded(load: RuntimeLoad): void {
    this.#count(load.isComplete ? "load_success" : "load_error");
    // Envoy: the first folder is the root, every further one overrides it.
    this.#count(load.diskLayers > 1 ? "override_dir_exists" : "override_dir_not_exists");
    this.#set("num_keys", load.keys);
    this.#set("num_layers", load.layers);
    this.#set("admin_overrides_active", load.hasAdminOverrides ? 1 : 0);
  }

  #count(name: Parameters<typeof runtimeStats.offset>[0]): void {
    this.#stats.slab.add(this.#block, runtimeStats.offset(name));
  }

  #set(name: Parameters<typeof runtimeStats.offset>[0], value: number): void {
    this.#stats.slab.set(this.#block, runtimeStats.offset(name), value);
  }
}
