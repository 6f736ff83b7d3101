/** `sds.<name>.`, beside what the subscription counts there. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";

const secretStats = defineStats({ counters: ["key_rotation_failed"] });

export class SecretStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;

  constructor(name: string, stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(secretStats, `sds.${name.replaceAll(":", "_")}.`);
  }

  /** Files were moved into place, and what they hold is bad. */
  countFailedRotation(): void {
    this.#stats.slab.add(this.#block, secretStats.offset("key_rotation_failed"));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
  }
}
