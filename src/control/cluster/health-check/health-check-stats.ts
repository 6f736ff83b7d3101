/** `cluster.<name>.health_check.` under Envoy's names. Gauges are set from the hosts. */
import type { MainStats } from "../../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../../shared/stats/stat-group.ts";

/** `passive_failure` stays 0: no traffic fails a host. */
export const healthCheckStats = defineStats({
  counters: [
    "attempt",
    "success",
    "failure",
    "passive_failure",
    "network_failure",
    "verify_cluster",
  ],
  gauges: ["healthy", "degraded"],
});

/** `sluice.health_check.`: checks that had to wait for others of their cluster. */
export const ourHealthCheckStats = defineStats({ counters: ["delayed"] });

type Counter = "attempt" | "success" | "failure" | "network_failure" | "verify_cluster";

export class HealthCheckStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;
  readonly #ours: number;

  /** `prefix`: `cluster.<name>.`. */
  constructor(stats: MainStats, prefix: string) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(healthCheckStats, `${prefix}health_check.`);
    this.#ours = stats.allocator.allocate(ourHealthCheckStats, "sluice.health_check.");
  }

  count(name: Counter): void {
    this.#stats.slab.add(this.#block, healthCheckStats.offset(name));
  }

  delayed(): void {
    this.#stats.slab.add(this.#ours, ourHealthCheckStats.offset("delayed"));
  }

  setHosts(healthy: number, degraded: number): void {
    const { slab } = this.#stats;
    slab.set(this.#block, healthCheckStats.offset("healthy"), healthy);
    slab.set(this.#block, healthCheckStats.offset("degraded"), degraded);
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
    this.#stats.allocator.release(this.#ours);
  }
}
