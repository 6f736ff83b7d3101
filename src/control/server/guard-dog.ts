/**
 * Watches every thread of the process and counts its silences (Envoy: `GuardDogImpl`). It looks from the main
 * thread: of the workers it sees each silence while it lasts, of main when it is over, since main shows nobody a
 * counter while it is silent. What must end a main thread that never comes back is `main-watch.ts`.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";
import { touchPlace } from "../../shared/protocol/pulse.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { watchdogStats } from "../../shared/stats/stat-names.ts";
import type { WatchdogConfig, WatchdogConfigs } from "../config/watchdogs.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import { type Alarm, fatalSilence, lookEveryMs, Silence, ThreadWatch } from "./thread-watch.ts";

/**
 * A worker that is silent for so long is given up where no `kill_timeout` says when (Envoy would let it be): clients
 * would go on being handed to it and wait for ever.
 */
export const stuckMsDefault = 30_000;

export interface GuardDogParts {
  readonly configs: WatchdogConfigs;
  readonly concurrency: number;
  readonly limits: Pick<SharedLimits, "read">;
  readonly stats: MainStats;
  readonly clock: Clock;
  readonly random: Random;
  /** Once for each worker that will not come back. */
  readonly onStuck: (worker: number, why: string) => void;
}

const offsets: Readonly<Record<Alarm, number>> = {
  miss: watchdogStats.offset("watchdog_miss"),
  megaMiss: watchdogStats.offset("watchdog_mega_miss"),
};

export class GuardDog implements Disposable {
  readonly #parts: GuardDogParts;
  readonly #everyMs: number;
  readonly #killMs: number;
  readonly #main: readonly StatBlock[];
  readonly #workers: readonly (readonly StatBlock[])[];
  readonly #lost = new Set<number>();
  #watches: readonly ThreadWatch[] = [];
  #lookedMs = 0;
  #timer: Disposable | undefined;

  constructor(parts: GuardDogParts) {
    this.#parts = parts;
    const { configs, random } = parts;
    this.#everyMs = Math.min(lookEveryMs(configs.main), lookEveryMs(configs.workers));
    this.#killMs = killMsOf(configs.workers, random) || stuckMsDefault;
    this.#main = [this.#block("main_thread."), this.#block("server.main_thread.")];
    const all = this.#block("workers.");
    this.#workers = Array.from({ length: parts.concurrency }, (_, worker) => [
      all,
      this.#block(`server.worker_${worker}.`),
    ]);
  }

  /** When every worker is up: what it takes to load is no silence. */
  start(): void {
    const { clock, limits } = this.#parts;
    this.#lookedMs = clock.now();
    this.#watches = this.#workers.map((_, worker) => {
      const place = touchPlace(worker);
      return new ThreadWatch(() => limits.read(place), this.#lookedMs);
    });
    this.#rest();
  }

  /** It has ended: nobody waits for its word. */
  forget(worker: number): void {
    this.#lost.add(worker);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #rest(): void {
    this.#timer = this.#parts.clock.startTimer(this.#everyMs, () => this.#look());
  }

  #look(): void {
    const { clock, configs } = this.#parts;
    const nowMs = clock.now();
    const sinceMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    this.#count(this.#main, new Silence().alarmsAt(sinceMs, configs.main));
    // Stopped as a whole (SIGSTOP, a suspended machine), or main alone was busy: nobody looked.
    const unwatchedMs = Math.max(0, sinceMs - 2 * this.#everyMs);
    this.#rest();
    this.#lookAtWorkers(nowMs, unwatchedMs);
  }

  #lookAtWorkers(nowMs: number, unwatchedMs: number): void {
    const { configs, onStuck } = this.#parts;
    const silences = this.#watches.map((watch, worker) => {
      if (this.#lost.has(worker)) return 0;
      watch.excuse(unwatchedMs);
      const silentMs = watch.look(nowMs);
      this.#count(this.#workers[worker] ?? [], watch.alarmsAt(silentMs, configs.workers));
      return silentMs;
    });
    const fatal = fatalSilence(silences, configs.workers, this.#killMs);
    for (const worker of fatal?.threads ?? []) {
      this.forget(worker);
      onStuck(worker, fatal?.why ?? "");
    }
  }

  #count(blocks: readonly StatBlock[], alarms: readonly Alarm[]): void {
    for (const alarm of alarms)
      for (const block of blocks) this.#parts.stats.slab.add(block, offsets[alarm]);
  }

  #block(prefix: string): StatBlock {
    return this.#parts.stats.allocator.allocate(watchdogStats, prefix);
  }
}

/** With its jitter drawn; 0: never. */
export function killMsOf({ killMs, killJitterMs }: WatchdogConfig, random: Random): number {
  return killMs > 0 ? killMs + Math.floor(random.next() * killJitterMs) : 0;
}

/** How often threads show that they live. Envoy's do so twice between two looks; idle threads are to sleep. */
export function pulseMsOf(config: WatchdogConfig): number {
  return lookEveryMs(config);
}
