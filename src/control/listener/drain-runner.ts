/**
 * Carries drains out: tells the workers, hears their reports, and ends each one when the last connection has
 * gone or when its time is up, whichever comes first (Envoy keeps the corpse for the whole time).
 *
 *     begun ──tell()──▶ told ──empty, or deadline──▶ ending ──finish()──▶ ended
 *
 * Empty means that every worker has reported and nothing is left. A connection that one worker accepted and
 * is handing to another is in no report, hence `mayEndEarly`, asked again until it agrees.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DrainId } from "../../shared/common/brand.ts";
import type { Logger } from "../../shared/common/log.ts";
import {
  type DrainDirection,
  type DrainStart,
  mayOutlastDeadline,
} from "../../shared/drain/drain.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { DrainOrder, DrainRegistry } from "./drain-registry.ts";

/** How long after an empty report that may not count yet the question is asked again. */
export const emptyRecheckMs = 100;

export interface DrainPlan extends DrainOrder {
  readonly manager: DrainManager;
  readonly direction: DrainDirection;
  /** Sends it to the workers. */
  tell(start: DrainStart): void;
  /** False while connections may exist that no worker has reported. */
  mayEndEarly(): boolean;
  /** Takes it out of the workers. `cut`: nothing is left there; `kept`: what remains lives on. */
  finish(): Promise<"cut" | "kept">;
  /** Once, after all else, however it ended. */
  onEnded?(): void;
}

type RunState = "begun" | "told" | "overdue" | "ending" | "ended";

interface Run {
  readonly plan: DrainPlan;
  readonly record: DrainRecord;
  state: RunState;
  recheck: Disposable | undefined;
}

export interface DrainRunnerContext {
  readonly pool: Pick<WorkerPool, "subscribe">;
  readonly registry: DrainRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

export class DrainRunner {
  readonly #context: DrainRunnerContext;
  readonly #runs = new Map<DrainId, Run>();

  constructor(context: DrainRunnerContext) {
    this.#context = context;
    context.pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind !== "drainProgress") return;
        context.registry.report(worker, event);
        const run = this.#runs.get(event.drain);
        if (run) this.#endIfEmpty(run);
      },
    });
  }

  /** Makes the drain; its time runs from now. `tell` it once workers have stopped accepting. */
  begin(plan: DrainPlan): DrainRecord {
    const record = this.#context.registry.begin(plan);
    this.#runs.set(record.start.id, { plan, record, state: "begun", recheck: undefined });
    return record;
  }

  tell(record: DrainRecord): void {
    const run = this.#runs.get(record.start.id);
    if (run?.state !== "begun") return;
    run.state = "told";
    run.plan.manager.startDrainSequence(record.start, run.plan.direction, () =>
      this.#onDeadline(run),
    );
    run.plan.tell(record.start);
  }

  /** The workers hold nothing of it any more, for some other reason: it ends with them. */
  endWith(record: DrainRecord, how: "cut" | "kept"): void {
    const run = this.#runs.get(record.start.id);
    if (run) this.#ended(run, how);
  }

  #onDeadline(run: Run): void {
    if (run.state !== "told") return;
    run.state = "overdue";
    const { cutsAtDeadline, policy } = run.plan;
    const isWaitedFor = cutsAtDeadline && mayOutlastDeadline(policy);
    if (!isWaitedFor || run.record.isEmpty) this.#end(run);
  }

  #endIfEmpty(run: Run): void {
    if (run.state !== "told" && run.state !== "overdue") return;
    run.recheck?.[Symbol.dispose]();
    run.recheck = undefined;
    if (!run.record.isEmpty) return;
    if (run.plan.mayEndEarly()) return this.#end(run);
    run.recheck = this.#context.clock.startTimer(emptyRecheckMs, () => this.#endIfEmpty(run));
  }

  #end(run: Run): void {
    run.state = "ending";
    run.recheck?.[Symbol.dispose]();
    run.plan.manager.complete();
    run.plan.finish().then(
      (how) => this.#ended(run, how),
      (error: unknown) => {
        this.#context.log.critical(`drain ${run.record.start.id} cannot end: ${String(error)}`);
      },
    );
  }

  #ended(run: Run, how: "cut" | "kept"): void {
    if (run.state === "ended") return;
    run.state = "ended";
    run.recheck?.[Symbol.dispose]();
    run.plan.manager.complete();
    this.#runs.delete(run.record.start.id);
    const outcome = this.#context.registry.end(run.record, how);
    run.plan.onEnded?.();
    this.#context.log.info(`drain ${run.record.start.id} ended: ${summary(run.record, outcome)}`);
  }
}

function summary(record: DrainRecord, outcome: string | undefined): string {
  const { atStart, finished, closedByPeer, forced, remaining } = record.counts();
  const name = record.subject.listener?.name;
  const of = name === undefined ? "server" : `listener '${name}'`;
  return (
    `${of}, ${outcome ?? "gone"}: ${atStart} connections, ${finished} finished, ` +
    `${closedByPeer} closed by peer, ${forced} cut, ${remaining} remain`
  );
}
