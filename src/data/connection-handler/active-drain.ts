/**
 * One worker's share of one drain: who is in it, by protocol, reported to main. The counts move between
 * named buckets only, so `atStart = finished + closedByPeer + forced + remaining` holds at every report.
 */
import {
  type DrainCounts,
  type DrainStart,
  type DrainedProtocol,
  drainedProtocols,
  noDrainCounts,
} from "../../shared/drain/drain.ts";
import { drainInstant, evenPlace } from "../../shared/drain/drain-decision.ts";
import { TimerSlot, type TimerWheel, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";

/** How a connection left a drain. */
export type DrainOutcome = "finished" | "closedByPeer" | "forced";

/** Reports are at least this far apart, but for the last one. */
const reportIntervalMs = 100;

type MutableCounts = { -readonly [Key in keyof DrainCounts]: DrainCounts[Key] };

export class ActiveDrain implements WheelTimer {
  /** When connections are told follows from this, whatever becomes of the deadline. */
  #ordered: DrainStart;
  readonly #timers: TimerWheel;
  readonly #post: (event: WorkerEvent) => void;
  /** Where in the window the first connection has its place. */
  readonly #offset: number;
  #placesGiven = 0;
  readonly #reportTimer = new TimerSlot(this);
  readonly #counts = new Map<DrainedProtocol, MutableCounts>();
  #remaining = 0;
  #start: DrainStart;
  /** Cut by order, and not closed yet. */
  #beingCut = 0;
  #onAllCut: (() => void) | undefined = undefined;

  constructor(
    start: DrainStart,
    worker: Pick<WorkerContext, "reactor" | "random">,
    post: (event: WorkerEvent) => void,
  ) {
    this.#ordered = start;
    this.#start = start;
    this.#timers = worker.reactor.timers;
    this.#post = post;
    this.#offset = worker.random.next();
  }

  /** With the deadline as it is now. */
  get start(): DrainStart {
    return this.#start;
  }

  /** Its connections ask again what is due. `tellsNow`: nobody waits for an instant of its own any more. */
  moveDeadline(deadlineMs: number, tellsNow = false): void {
    this.#start = { ...this.#start, deadlineMs };
    if (tellsNow) this.#ordered = { ...this.#ordered, strategy: "immediate" };
  }

  get tellsAtOnce(): boolean {
    return this.#ordered.strategy === "immediate";
  }

  /** When the connection that joins now is told; `nowMs` at the earliest. */
  nextInstant(nowMs: number): number {
    return drainInstant(this.#ordered, nowMs, evenPlace(this.#placesGiven++, this.#offset));
  }

  /** So many are about to be cut: calls when all of them have closed and were reported. */
  whenCut(count: number, onAllCut: () => void): void {
    this.#beingCut = count;
    this.#onAllCut = onAllCut;
    this.#endCutIfDone();
  }

  joined(protocol: DrainedProtocol): void {
    this.#countsOf(protocol).atStart++;
    this.#countsOf(protocol).remaining++;
    this.#remaining++;
    this.#changed();
  }

  /** It goes on as something else, which has joined by itself. */
  goneOn(protocol: DrainedProtocol, isTold: boolean): void {
    const counts = this.#countsOf(protocol);
    counts.atStart--;
    counts.remaining--;
    if (isTold) counts.notified--;
    this.#remaining--;
    this.#changed();
  }

  told(protocol: DrainedProtocol): void {
    this.#countsOf(protocol).notified++;
    this.#changed();
  }

  left(protocol: DrainedProtocol, outcome: DrainOutcome): void {
    this.#countsOf(protocol).remaining--;
    this.#countsOf(protocol)[outcome]++;
    this.#remaining--;
    this.#changed();
    if (this.#beingCut === 0) return;
    this.#beingCut--;
    this.#endCutIfDone();
  }

  /** A connection turned out to speak another protocol, or was upgraded. */
  moved(from: DrainedProtocol, to: DrainedProtocol, isTold: boolean): void {
    for (const [protocol, by] of [
      [from, -1],
      [to, 1],
    ] as const) {
      const counts = this.#countsOf(protocol);
      counts.atStart += by;
      counts.remaining += by;
      if (isTold) counts.notified += by;
    }
  }

  onTimer(): void {
    this.report();
  }

  /** Also when nothing is in the drain: main waits for the word of every worker. */
  report(): void {
    this.#timers.cancel(this.#reportTimer);
    const counted = drainedProtocols.flatMap((protocol) => {
      const counts = this.#counts.get(protocol);
      return counts ? [[protocol, { ...counts }] as const] : [];
    });
    const counts = Object.fromEntries(counted);
    this.#post({ kind: "drainProgress", drain: this.#start.id, counts });
  }

  [Symbol.dispose](): void {
    this.#timers.cancel(this.#reportTimer);
  }

  #endCutIfDone(): void {
    if (this.#beingCut > 0 || !this.#onAllCut) return;
    const onAllCut = this.#onAllCut;
    this.#onAllCut = undefined;
    this.report();
    onAllCut();
  }

  #changed(): void {
    if (this.#remaining === 0) this.report();
    else if (this.#reportTimer.dueTick === 0) this.#timers.arm(this.#reportTimer, reportIntervalMs);
  }

  #countsOf(protocol: DrainedProtocol): MutableCounts {
    const known = this.#counts.get(protocol);
    if (known) return known;
    const counts: MutableCounts = { ...noDrainCounts };
    this.#counts.set(protocol, counts);
    return counts;
  }
}
