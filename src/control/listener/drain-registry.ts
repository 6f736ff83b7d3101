/**
 * Every drain of the process: those under way and the last hundred that ended. It numbers them, routes the
 * workers' reports to them and counts them; it starts and stops nothing.
 */
import type { Clock } from "../../shared/common/clock.ts";
import { type DrainId, drainId } from "../../shared/common/brand.ts";
import type { DrainCause, DrainDirection, DrainPolicy } from "../../shared/drain/drain.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import {
  type DrainEnd,
  type DrainOutcome,
  DrainRecord,
  type DrainSubject,
  rfc3339,
} from "./drain-record.ts";
import { ElderDrains } from "./elder-drains.ts";
import type { DrainEndedBy, DrainView, DrainsView } from "./drain-view.ts";

/** `sluice.drain.`: what Envoy cannot be asked. Each drain that ends is one of `completed` to `cancelled`. */
export const drainStats = defineStats({
  counters: [
    "started",
    "completed",
    "forced",
    "expired",
    "cancelled",
    "forced_connections",
    "generations_forced",
  ],
  gauges: ["active", "connections_remaining", "watchers"],
  histograms: ["length_ms"],
});

export const endedDrainsMax = 100;
/** Of so many drains that are no longer kept it is known when they ended. */
export const goneDrainsMax = 1_000;

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
  readonly direction: DrainDirection;
  /** As in `DrainStart`. */
  readonly cutsAtDeadline: boolean;
}

/** What a number is that somebody asks for. */
export type DrainFound =
  | { readonly kind: "kept"; readonly record: DrainRecord }
  /** Of a process before this one. */
  | { readonly kind: "elder"; readonly view: DrainView }
  /** `endedAt`: RFC 3339; undefined: too long ago. */
  | { readonly kind: "gone"; readonly endedAt: string | undefined }
  | { readonly kind: "never" };

type DrainCounter =
  | "started"
  | "completed"
  | Exclude<DrainOutcome, "complete">
  | "forced_connections"
  | "generations_forced";

type DrainProgress = Extract<WorkerEvent, { kind: "drainProgress" }>;

export class DrainRegistry {
  /** Of processes that this one took over from. */
  readonly elders: ElderDrains;
  readonly #context: DrainRegistryContext;
  readonly #block: number;
  readonly #active = new Map<DrainId, DrainRecord>();
  /** Newest first. */
  readonly #ended: DrainRecord[] = [];
  /** When they ended, milliseconds since 1970, oldest first. */
  readonly #gone = new Map<DrainId, number>();
  readonly #watchers = new Set<() => void>();
  #lastId = 0;
  /** Over all active drains: a report changes one of thousands, so the sum is not made anew for each. */
  #remaining = 0;

  constructor(context: DrainRegistryContext) {
    this.#context = context;
    this.#block = context.stats.allocator.allocate(drainStats, "sluice.drain.");
    this.elders = new ElderDrains({
      takeNumber: () => ++this.#lastId,
      wallTime: () => context.clock.wallTime(),
      onChange: () => this.#changed(),
    });
  }

  /** Makes the drain; its timeline begins now. */
  begin(order: DrainOrder): DrainRecord {
    const { clock, workers } = this.#context;
    const startMs = clock.now();
    const { policy, subject, direction, cause, cutsAtDeadline } = order;
    const { timeMs, maxGenerations: _, ...treatment } = policy;
    const id = drainId(++this.#lastId);
    const deadlineMs = startMs + timeMs;
    const start = { id, cause, startMs, deadlineMs, cutsAtDeadline, ...treatment };
    const startWallMs = clock.wallTime();
    const drain = new DrainRecord({ start, subject, policy, direction, startWallMs, workers });
    this.#active.set(id, drain);
    this.#count("started");
    this.#changed();
    return drain;
  }

  /** The drain a worker has news of, updated; undefined when it has ended already. */
  report(worker: number, { drain, counts }: DrainProgress): DrainRecord | undefined {
    return this.#recount(drain, (record) => record.report(worker, counts));
  }

  /** The worker will report no more: what it had is cut. */
  lose(worker: number, drain: DrainId): void {
    this.#recount(drain, (record) => record.lose(worker));
  }

  moveDeadline(drain: DrainRecord, deadlineMs: number): void {
    drain.moveDeadline(deadlineMs);
    this.#changed();
  }

  /** See `DrainRecord.end`. A second end is the first one's echo and does nothing. */
  end(drain: DrainRecord, how: DrainEnd, by: DrainEndedBy): DrainOutcome | undefined {
    if (!this.#active.delete(drain.start.id)) return undefined;
    const { clock, stats } = this.#context;
    this.#remaining -= drain.counts().remaining;
    const outcome = drain.end(how, by, clock.wallTime());
    this.#keepEnded(drain, clock.wallTime());
    this.#count(outcome === "complete" ? "completed" : outcome);
    this.#count("forced_connections", drain.counts().forced);
    if (by === "generations") this.#count("generations_forced");
    const lengthMs = clock.now() - drain.start.startMs;
    stats.slab.record(this.#block, drainStats.offset("length_ms"), lengthMs);
    this.#changed();
    return outcome;
  }

  find(id: number): DrainFound {
    const isNumber = Number.isSafeInteger(id) && id >= 1;
    if (!isNumber || id > this.#lastId) return { kind: "never" };
    const known = this.#active.get(drainId(id)) ?? this.#ended.find((each) => each.start.id === id);
    if (known) return { kind: "kept", record: known };
    const view = this.elders.find(id);
    if (view) return { kind: "elder", view };
    const wallMs = this.#gone.get(drainId(id));
    return { kind: "gone", endedAt: wallMs === undefined ? undefined : rfc3339(wallMs) };
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
    const elders = this.elders.views();
    const isActive = ({ state }: DrainView): boolean => state === "draining";
    return {
      drains: [
        ...elders.filter(isActive),
        ...[...this.#active.values(), ...this.#ended].map((drain) => drain.view()),
        ...elders.filter((each) => !isActive(each)).toReversed(),
      ],
    };
  }

  #recount(id: DrainId, update: (drain: DrainRecord) => void): DrainRecord | undefined {
    const drain = this.#active.get(id);
    if (!drain) return undefined;
    this.#remaining -= drain.counts().remaining;
    update(drain);
    this.#remaining += drain.counts().remaining;
    this.#changed();
    return drain;
  }

  #keepEnded(drain: DrainRecord, wallMs: number): void {
    this.#ended.unshift(drain);
    this.#gone.set(drain.start.id, wallMs);
    if (this.#ended.length > endedDrainsMax) this.#ended.pop();
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > endedDrainsMax + goneDrainsMax && oldest) this.#gone.delete(oldest);
  }

  #count(name: DrainCounter, amount = 1): void {
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
