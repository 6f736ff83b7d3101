/** `extension_config_discovery.http_filter.<name>.`, beside what the subscription counts there. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

/** Nothing that was judged good conflicts later, so `config_conflict` stays 0. */
const extensionStats = defineStats({
  counters: ["config_reload", "config_fail", "config_conflict"],
});

export class ExtensionStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;

  constructor(name: string, stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(extensionStats, extensionStatPrefix(name));
  }

  count(name: "config_reload" | "config_fail"): void {
    this.#stats.slab.add(this.#block, extensionStats.offset(name));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
  }
}

export function extensionStatPrefix(name: string): string {
  return `extension_config_discovery.http_filter.${name.replaceAll(":", "_")}.`;
}
