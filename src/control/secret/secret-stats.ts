/**
 * `sds.<name>.`, beside what the subscription counts there; of a secret that stands in the configuration itself
 * `sluice.secret.<what it is of>.`, as Envoy does not read those again.
 */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

const secretStats = defineStats({ counters: ["key_rotation_failed"] });

export class SecretStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;

  /** `prefix`: with its dot. */
  constructor(prefix: string, stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(secretStats, prefix.replaceAll(":", "_"));
  }

  /** Files were moved into place, and what they hold is bad. */
  countFailedRotation(): void {
    this.#stats.slab.add(this.#block, secretStats.offset("key_rotation_failed"));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
  }
}
