/**
 * Carries drains out: tells the workers, hears their reports, and ends each one when the last connection has
 * gone or when its time is up, whichever comes first (Envoy keeps the corpse for the whole time).
 *
 *     begun ──tell()──▶ told ──empty, deadline, or order──▶ ending ──▶ ended
 *                        ▲ └──deadline, some may outlast it──▶ overdue ──▲
 *                        └──────────moveDeadline()─────────────────┘
 *
 * Empty means that every worker has reported and nothing is left. A connection that one worker accepted and
 * is handing to another is in no report, hence `mayEndEarly`, asked again until it agrees.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DrainId } from "../../shared/common/brand.ts";
import type { Logger } from "../../shared/common/log.ts";
import { type DrainStart, mayOutlastDeadline } from "../../shared/drain/drain.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerInquiry } from "../workers/worker-inquiry.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import { drainBeganText, drainEndedText } from "./drain-log.ts";
import type { DrainEnd, DrainRecord } from "./drain-record.ts";
import type { DrainOrder, DrainRegistry } from "./drain-registry.ts";
import type { DrainEndedBy } from "./drain-view.ts";

/** How long after an empty report that may not count yet the question is asked again. */
export const emptyRecheckMs = 100;

export interface DrainPlan extends DrainOrder {
  readonly manager: DrainManager;
  /** Sends it to the workers. */
  tell(start: DrainStart): void;
  /** False while connections may exist that no worker has reported. */
  mayEndEarly(): boolean;
  /** Takes it out of the workers. `cut`: nothing is left there; `kept`: what remains lives on. */
  finish(): Promise<"cut" | "kept">;
  /** Why it cannot be taken back; undefined: it can. */
  whyNotCancellable(): string | undefined;
  onDeadlineMoved?(deadlineMs: number): void;
  /** At once, before workers have answered. */
  onCancelled?(): void;
  /** Once, after all else, however it ended. */
  onEnded?(): void;
}

type RunState = "begun" | "told" | "overdue" | "ending" | "ended";

interface Run {
  readonly plan: DrainPlan;
  readonly record: DrainRecord;
  readonly ended: PromiseWithResolvers<void>;
  state: RunState;
  /** Why what remains at the deadline is cut, whatever its policy would let finish; undefined: it is not. */
  forcedBy: DrainEndedBy | undefined;
  recheck: Disposable | undefined;
}

export interface DrainRunnerContext {
  readonly pool: Pick<WorkerPool, "subscribe" | "post" | "broadcast">;
  readonly inquiry: Pick<WorkerInquiry, "ask">;
  readonly registry: DrainRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a cancelled drain leaves behind. */
export interface CancelledDrain {
  /** Still open, and told already: they close after their next response. */
  readonly told: number;
  /** Workers that did not answer in time. */
  readonly silent: readonly number[];
}

export class DrainRunner {
  readonly #context: DrainRunnerContext;
  readonly #runs = new Map<DrainId, Run>();
  /** Workers that are gone: they report no more, and hold nothing that could be waited for. */
  readonly #lost = new Set<number>();

  constructor(context: DrainRunnerContext) {
    this.#context = context;
    context.pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind !== "drainProgress") return;
        context.registry.report(worker, event);
        const run = this.#runs.get(event.drain);
        if (run) this.#endIfEmpty(run);
      },
      onExit: (worker) => {
        this.#lost.add(worker);
        for (const run of this.#runs.values()) this.#reportLost(run);
      },
    });
  }

  /** Makes the drain; its time runs from now. `tell` it once workers have stopped accepting. */
  begin(plan: DrainPlan): DrainRecord {
    const record = this.#context.registry.begin(plan);
    this.#runs.set(record.start.id, {
      plan,
      record,
      ended: Promise.withResolvers(),
      state: "begun",
      forcedBy: undefined,
      recheck: undefined,
    });
    this.#context.log.info(drainBeganText(record.view()));
    return record;
  }

  tell(record: DrainRecord): void {
    const run = this.#runs.get(record.start.id);
    if (run?.state !== "begun") return;
    run.state = "told";
    const { plan } = run;
    const onDeadline = (): void => this.#onDeadline(run);
    plan.manager.startDrainSequence(record.start, plan.direction, onDeadline);
    plan.tell(record.start);
    this.#reportLost(run);
    if (run.forcedBy !== undefined) this.#spread(run, true);
  }

  /** `mayEndEarly` may agree from now on: if nothing is left, it ends. */
  recheck(record: DrainRecord): void {
    const run = this.#runs.get(record.start.id);
    if (run) this.#endIfEmpty(run);
  }

  /** The workers hold nothing of it any more, or it is another's, for some other reason. */
  endWith(record: DrainRecord, how: "cut" | "kept", by: DrainEndedBy): void {
    const run = this.#runs.get(record.start.id);
    if (run) this.#ended(run, how, by);
  }

  /** False when it is ending already. */
  moveDeadline(record: DrainRecord, deadlineMs: number): boolean {
    const run = this.#runs.get(record.start.id);
    if (!run || run.state === "ending" || run.forcedBy !== undefined) return false;
    this.#move(run, deadlineMs);
    this.#spread(run, false);
    return true;
  }

  /**
   * Everybody is told now, and what remains after `graceMs` is cut, whatever its policy would let finish. 0: at
   * once. Resolves when it has ended.
   */
  force(record: DrainRecord, by: DrainEndedBy, graceMs: number): Promise<void> {
    const run = this.#runs.get(record.start.id);
    if (!run) return Promise.resolve();
    if (run.state === "ending") return run.ended.promise;
    const latestMs = this.#context.clock.now() + graceMs;
    const { deadlineMs } = record.start;
    run.forcedBy = by;
    this.#move(run, run.state === "overdue" ? latestMs : Math.min(latestMs, deadlineMs));
    this.#spread(run, true);
    return run.ended.promise;
  }

  /** It has begun, and does not end yet. */
  isUnderWay(record: DrainRecord): boolean {
    const run = this.#runs.get(record.start.id);
    return run !== undefined && run.state !== "ending";
  }

  /** Undefined: it can be cancelled. */
  whyNotCancellable(record: DrainRecord): string | undefined {
    const run = this.#runs.get(record.start.id);
    return run && this.isUnderWay(record) ? run.plan.whyNotCancellable() : "it is ending already";
  }

  /** Whoever was not told will not be; nobody is cut. Only where nothing stands against it. */
  async cancel(record: DrainRecord): Promise<CancelledDrain> {
    const drain = record.start.id;
    const run = this.#runs.get(drain);
    if (!run) return { told: 0, silent: [] };
    run.state = "ending";
    run.recheck?.[Symbol.dispose]();
    run.plan.manager.cancelDrainSequence();
    run.plan.onCancelled?.();
    const { answers, silent } = await this.#context.inquiry.ask((question) => ({
      kind: "cancelDrain",
      drain,
      question,
    }));
    this.#ended(run, "cancelled", "order");
    const told = answers.reduce(
      (sum, { answer }) => sum + (answer.kind === "drainCancelled" ? answer.told : 0),
      0,
    );
    return { told, silent };
  }

  #reportLost(run: Run): void {
    for (const worker of this.#lost) this.#context.registry.lose(worker, run.record.start.id);
    this.#endIfEmpty(run);
  }

  #move(run: Run, deadlineMs: number): void {
    this.#context.registry.moveDeadline(run.record, deadlineMs);
    run.plan.onDeadlineMoved?.(deadlineMs);
  }

  /** Workers hear of a deadline that was moved, once they have heard of the drain. */
  #spread(run: Run, tellsNow: boolean): void {
    if (run.state === "begun") return;
    const { pool, clock } = this.#context;
    const { start } = run.record;
    run.state = "told";
    if (run.forcedBy !== undefined && start.deadlineMs <= clock.now())
      return this.#cutNow(run, run.forcedBy);
    run.plan.manager.extendDrainSequence(start, () => this.#onDeadline(run));
    const { id: drain, deadlineMs } = start;
    pool.post({ kind: "moveDrainDeadline", drain, deadlineMs, tellsNow });
  }

  #onDeadline(run: Run): void {
    if (run.state !== "told") return;
    run.state = "overdue";
    if (run.forcedBy !== undefined) return this.#cutNow(run, run.forcedBy);
    const { cutsAtDeadline, policy } = run.plan;
    const isWaitedFor = cutsAtDeadline && mayOutlastDeadline(policy);
    if (!isWaitedFor || run.record.isEmpty) this.#end(run, "deadline");
  }

  #endIfEmpty(run: Run): void {
    if (run.state !== "told" && run.state !== "overdue") return;
    run.recheck?.[Symbol.dispose]();
    run.recheck = undefined;
    if (!run.record.isEmpty) return;
    if (run.plan.mayEndEarly()) return this.#end(run, emptiedBy(run, this.#context.clock.now()));
    run.recheck = this.#context.clock.startTimer(emptyRecheckMs, () => this.#endIfEmpty(run));
  }

  #cutNow(run: Run, by: DrainEndedBy): void {
    const drain = run.record.start.id;
    const { pool } = this.#context;
    this.#end(run, by, () => pool.broadcast((reply) => ({ kind: "endDrain", drain, reply })));
  }

  #end(run: Run, by: DrainEndedBy, before: () => Promise<void> = async () => {}): void {
    run.state = "ending";
    run.recheck?.[Symbol.dispose]();
    run.plan.manager.complete();
    before()
      .then(() => run.plan.finish())
      .then(
        (how) => this.#ended(run, how, by),
        (error: unknown) => {
          this.#context.log.critical(`drain ${run.record.start.id} cannot end: ${String(error)}`);
        },
      );
  }

  #ended(run: Run, how: DrainEnd, by: DrainEndedBy): void {
    if (run.state === "ended") return;
    const { registry, clock, log } = this.#context;
    const { record, plan } = run;
    run.state = "ended";
    run.recheck?.[Symbol.dispose]();
    if (how !== "cancelled") plan.manager.complete();
    this.#runs.delete(record.start.id);
    registry.end(record, how, by);
    plan.onEnded?.();
    log.info(drainEndedText(record.view(), clock.now() - record.start.startMs));
    run.ended.resolve();
  }
}

/**
 * Workers cut at the deadline by timers of their own, and may say so before main's fires. Before the deadline it is
 * another drain of the same connections that has cut them.
 */
function emptiedBy({ record, forcedBy }: Run, nowMs: number): DrainEndedBy {
  const isCut = record.counts().forced > 0 && nowMs >= record.start.deadlineMs;
  return isCut ? (forcedBy ?? "deadline") : "empty";
}
