/** The checks of one host, one after another, until it is disposed (Envoy: `ActiveHealthCheckSession`). */
import type { Clock } from "../../../shared/common/clock.ts";
import type { Random } from "../../../shared/common/random.ts";
import type { HealthCheckConfig } from "../../config/health-check-config.ts";
import { firstCheckMs, nextCheckMs } from "./check-interval.ts";
import type { CheckSlots } from "./check-slots.ts";
import {
  type CheckOutcome,
  type CheckState,
  type CheckStep,
  afterCheck,
  newCheckState,
} from "./check-state.ts";
import type { HealthCheckStats } from "./health-check-stats.ts";
import type { Prober } from "./prober.ts";

export interface SessionContext {
  readonly config: HealthCheckConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly slots: CheckSlots;
  readonly stats: HealthCheckStats;
  /** The cluster had a connection at some time. */
  readonly hasTraffic: () => boolean;
}

/** What a check came to. */
export interface CheckReport extends CheckStep {
  readonly outcome: CheckOutcome;
  readonly wasFirst: boolean;
}

export class HostSession implements Disposable {
  readonly #context: SessionContext;
  readonly #prober: Prober;
  readonly #onReport: (report: CheckReport) => void;
  #state: CheckState;
  /** Of the next check, or what the present one holds. */
  #pending: Disposable[] = [];

  constructor(
    context: SessionContext,
    prober: Prober,
    isPending: boolean,
    onReport: (report: CheckReport) => void,
  ) {
    this.#context = context;
    this.#prober = prober;
    this.#state = newCheckState(isPending);
    this.#onReport = onReport;
  }

  get state(): CheckState {
    return this.#state;
  }

  start(): void {
    const { config, random } = this.#context;
    if (config.intervals.initialJitterMs === 0) this.#takeTurn();
    else this.#wait(firstCheckMs(config.intervals, random));
  }

  [Symbol.dispose](): void {
    this.#clear();
    this.#prober[Symbol.dispose]();
  }

  #wait(delayMs: number): void {
    this.#pending = [this.#context.clock.startTimer(delayMs, () => this.#takeTurn())];
  }

  #takeTurn(): void {
    this.#pending = [];
    const turn = this.#context.slots.take(() => this.#check());
    this.#pending = [...this.#pending, turn];
  }

  #check(): void {
    const { clock, config, stats } = this.#context;
    stats.count("attempt");
    const timeout = clock.startTimer(config.timeoutMs, () =>
      this.#finish({
        kind: "failure",
        cause: "timeout",
        reason: `no answer within ${config.timeoutMs} ms`,
      }),
    );
    const probe = this.#prober.probe((outcome) => this.#finish(outcome));
    this.#pending = [...this.#pending, timeout, probe];
  }

  #finish(outcome: CheckOutcome): void {
    const { config, stats, random, hasTraffic } = this.#context;
    this.#clear();
    const wasFirst = this.#state.isFirstCheck;
    const step = afterCheck(this.#state, outcome, config.thresholds);
    this.#state = step.state;
    stats.count(outcome.kind);
    if (outcome.kind === "failure" && outcome.cause !== "answer") stats.count("network_failure");
    const last = {
      isSuccess: outcome.kind === "success",
      transition: step.transition,
      hasTraffic: hasTraffic(),
    };
    // Before it is told: whoever hears of it may dispose the session, and the timer with it.
    this.#wait(nextCheckMs(config.intervals, last, random));
    this.#onReport({ ...step, outcome, wasFirst });
  }

  #clear(): void {
    for (const held of this.#pending.splice(0)) held[Symbol.dispose]();
  }
}
