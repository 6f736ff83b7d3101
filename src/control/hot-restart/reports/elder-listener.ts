/** The new process's side of `ElderReports`: what the old one tells, put together from its parts. */
import type { ReportMessage, ToldDrains, ToldStats } from "./report-messages.ts";

/** Stats that come in parts are passed over beyond that. */
const statsMax = 1_000_000;

/** What becomes of it. */
export interface ElderHandler {
  onDrains(generations: readonly ToldDrains[]): void;
  onStats(stats: ToldStats): void;
  /** It has no connection left: it waits to be asked for the last time. */
  onEmpty(): void;
  /** Once: it has ended, or is not heard any more. */
  onGone(): void;
}

export class ElderListener {
  readonly #handler: ElderHandler;
  #counters = new Map<string, number>();
  #gauges = new Map<string, number>();
  #isGone = false;

  constructor(handler: ElderHandler) {
    this.#handler = handler;
  }

  hear(message: ReportMessage): void {
    if (message.kind === "drains") return this.#handler.onDrains(message.generations);
    if (message.kind === "empty") return this.#handler.onEmpty();
    const { counterDeltas, gauges, isLast, kind: _, ...about } = message;
    keep(this.#counters, counterDeltas);
    keep(this.#gauges, gauges);
    if (!isLast) return;
    const whole = {
      counterDeltas: Object.fromEntries(this.#counters),
      gauges: Object.fromEntries(this.#gauges),
    };
    this.#counters = new Map();
    this.#gauges = new Map();
    this.#handler.onStats({ ...about, ...whole });
  }

  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#handler.onGone();
  }
}

function keep(all: Map<string, number>, some: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(some)) if (all.size < statsMax) all.set(name, value);
}
