/** `extension_config_discovery.<chain>_filter.<name>.`, beside what the subscription counts there. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { ExtensionSubscription, FilterCategory } from "../config/extension-subscription.ts";

/** Nothing that was judged good conflicts later, so `config_conflict` stays 0. */
const extensionStats = defineStats({
  counters: ["config_reload", "config_fail", "config_conflict"],
});

export class ExtensionStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;

  constructor(of: ExtensionSubscription, stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(extensionStats, extensionStatPrefix(of));
  }

  count(name: "config_reload" | "config_fail"): void {
    this.#stats.slab.add(this.#block, extensionStats.offset(name));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
  }
}

const kinds: Readonly<Record<FilterCategory, string>> = {
  "HTTP filter": "http_filter",
  "network filter": "network_filter",
};

export function extensionStatPrefix({ category, name }: ExtensionSubscription): string {
  return `extension_config_discovery.${kinds[category]}.${name.replaceAll(":", "_")}.`;
}
