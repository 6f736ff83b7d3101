/**
 * Every drain of the process: those under way and the last hundred that ended. It numbers them, routes the
 * workers' reports to them and counts them; it starts and stops nothing.
 */
import type { Clock } from "../../shared/common/clock.ts";
import { type DrainId, drainId } from "../../shared/common/brand.ts";
import type { DrainCause, DrainPolicy } from "../../shared/drain/drain.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { type DrainOutcome, DrainRecord, type DrainSubject } from "./drain-record.ts";
import type { DrainsView } from "./drain-view.ts";

/** `sluice.drains.`: what Envoy cannot be asked. */
export const drainStats = defineStats({
  counters: ["started", "complete", "forced", "expired", "connections_forced"],
  gauges: ["active", "connections_remaining", "watchers"],
});

export const endedDrainsMax = 100;

export interface DrainRegistryContext {
  readonly clock: Clock;
  readonly stats: MainStats;
  /** How many workers must report before a drain can be known to be empty. */
  readonly workers: number;
}

/** What a drain is made of. */
export interface DrainOrder {
  readonly cause: DrainCause;
  readonly policy: DrainPolicy;
  readonly subject: DrainSubject;
  /** As in `DrainStart`. */
  readonly cutsAtDeadline: boolean;
}

type DrainProgress = Extract<WorkerEvent, { kind: "drainProgress" }>;

export class DrainRegistry {
  readonly #context: DrainRegistryContext;
  readonly #block: number;
  readonly #active = new Map<DrainId, DrainRecord>();
  /** Newest first. */
  readonly #ended: DrainRecord[] = [];
  readonly #watchers = new Set<() => void>();
  #lastId = 0;
  /** Over all active drains: a report changes one of thousands, so the sum is not made anew for each. */
  #remaining = 0;

  constructor(context: DrainRegistryContext) {
    this.#context = context;
    this.#block = context.stats.allocator.allocate(drainStats, "sluice.drains.");
  }

  /** Makes the drain; its timeline begins now. */
  begin(order: DrainOrder): DrainRecord {
    const { clock, workers } = this.#context;
    const startMs = clock.now();
    const { timeMs, ...treatment } = order.policy;
    const id = drainId(++this.#lastId);
    const { cause, cutsAtDeadline } = order;
    const deadlineMs = startMs + timeMs;
    const start = { id, cause, startMs, deadlineMs, cutsAtDeadline, ...treatment };
    const drain = new DrainRecord(start, order.subject, clock.wallTime(), workers);
    this.#active.set(id, drain);
    this.#count("started");
    this.#changed();
    return drain;
  }

  /** The drain a worker has news of, updated; undefined when it has ended already. */
  report(worker: number, progress: DrainProgress): DrainRecord | undefined {
    const drain = this.#active.get(progress.drain);
    if (!drain) return undefined;
    this.#remaining -= drain.counts().remaining;
    drain.report(worker, progress.counts);
    this.#remaining += drain.counts().remaining;
    this.#changed();
    return drain;
  }

  /** See `DrainRecord.end`. A second end is the first one's echo and does nothing. */
  end(drain: DrainRecord, how: "cut" | "kept"): DrainOutcome | undefined {
    if (!this.#active.delete(drain.start.id)) return undefined;
    this.#remaining -= drain.counts().remaining;
    const outcome = drain.end(how, this.#context.clock.wallTime());
    this.#ended.unshift(drain);
    this.#ended.length = Math.min(this.#ended.length, endedDrainsMax);
    this.#count(outcome);
    this.#count("connections_forced", drain.counts().forced);
    this.#changed();
    return outcome;
  }

  get active(): readonly DrainRecord[] {
    return [...this.#active.values()];
  }

  /** `onChange` after every change of any drain: many a second; whoever shows them thins them out. */
  subscribe(onChange: () => void): Disposable {
    const watcher = (): void => onChange();
    this.#watchers.add(watcher);
    this.#setGauges();
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(watcher);
        this.#setGauges();
      },
    };
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  view(): DrainsView {
    return { drains: [...this.#active.values(), ...this.#ended].map((drain) => drain.view()) };
  }

  #count(name: "started" | "connections_forced" | DrainOutcome, amount = 1): void {
    this.#context.stats.slab.add(this.#block, drainStats.offset(name), amount);
  }

  #changed(): void {
    this.#setGauges();
    for (const watcher of this.#watchers) watcher();
  }

  #setGauges(): void {
    const { slab } = this.#context.stats;
    slab.set(this.#block, drainStats.offset("active"), this.#active.size);
    slab.set(this.#block, drainStats.offset("connections_remaining"), this.#remaining);
    slab.set(this.#block, drainStats.offset("watchers"), this.#watchers.size);
  }
}
