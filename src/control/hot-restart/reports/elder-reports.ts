/**
 * The old process tells the new one how it is, until it ends: drains when they change, stats every second, and both once
 * more at the end, so that nothing it has counted is lost.
 */
import type { Clock } from "../../../shared/common/clock.ts";
import type { ConnectionSender } from "../moves/connection-sender.ts";
import {
  type ReportMessage,
  type ToldDrains,
  type ToldStats,
  drainsMax,
  generationsMax,
  statsMax,
} from "./report-messages.ts";

/** Four a second are enough for an eye. */
const drainsEveryMs = 250;
const statsEveryMs = 1_000;
/** Of the names and numbers of one message: below what a frame may have. */
const partBytesMax = 60_000;

export interface ElderReportsParts {
  readonly sibling: Pick<ConnectionSender, "tell" | "isLost">;
  readonly clock: Clock;
  /** Its own first, those under way first. */
  readonly drains: () => readonly ToldDrains[];
  /** After every change of a drain. */
  readonly subscribe: (onChange: () => void) => Disposable;
  /** Undefined: it is asked for them. */
  readonly stats: (() => ToldStats) | undefined;
}

export class ElderReports implements Disposable {
  readonly #parts: ElderReportsParts;
  readonly #subscription: Disposable;
  #drainsTimer: Disposable | undefined;
  #statsTimer: Disposable | undefined;

  /** Begins at once. */
  constructor(parts: ElderReportsParts) {
    this.#parts = parts;
    this.#subscription = parts.subscribe(() => this.#schedule());
    void this.#tellDrains();
    void this.#tellStats();
  }

  /** The last word. Resolves when it is on its way, or nobody is there to hear it. */
  async finish(): Promise<void> {
    this[Symbol.dispose]();
    await this.#tellDrains();
    await this.#tellStats();
    this.#statsTimer?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#drainsTimer?.[Symbol.dispose]();
    this.#statsTimer?.[Symbol.dispose]();
  }

  #schedule(): void {
    this.#drainsTimer ??= this.#parts.clock.startTimer(drainsEveryMs, () => {
      this.#drainsTimer = undefined;
      void this.#tellDrains();
    });
  }

  async #tellDrains(): Promise<void> {
    const { sibling, drains } = this.#parts;
    if (!sibling.isLost) await sibling.tell({ kind: "drains", generations: fitting(drains()) });
  }

  async #tellStats(): Promise<void> {
    const { sibling, stats, clock } = this.#parts;
    if (!stats || sibling.isLost) return;
    for (const part of inParts(stats())) await sibling.tell(part);
    this.#statsTimer = clock.startTimer(statsEveryMs, () => void this.#tellStats());
  }
}

/** As many as one message holds; the first ones. */
function fitting(told: readonly ToldDrains[]): readonly ToldDrains[] {
  let room = partBytesMax;
  return told.slice(0, generationsMax).map(({ generation, drains }) => ({
    generation,
    drains: drains.slice(0, drainsMax).filter((drain) => {
      const bytes = Buffer.byteLength(JSON.stringify(drain));
      if (bytes > room) return false;
      room -= bytes;
      return true;
    }),
  }));
}

type StatsPart = Extract<ReportMessage, { kind: "stats" }>;

function inParts({ counterDeltas, gauges, ...about }: ToldStats): readonly StatsPart[] {
  const parts: { counterDeltas: Record<string, number>; gauges: Record<string, number> }[] = [];
  let room = 0;
  let left = 0;
  for (const kind of ["counterDeltas", "gauges"] as const)
    for (const [name, value] of Object.entries({ counterDeltas, gauges }[kind])) {
      const bytes = Buffer.byteLength(JSON.stringify(name)) + 24;
      if (bytes > room || left === 0) {
        parts.push({ counterDeltas: {}, gauges: {} });
        room = partBytesMax;
        left = statsMax;
      }
      const part = parts.at(-1);
      if (part) part[kind][name] = value;
      room -= bytes;
      left--;
    }
  if (parts.length === 0) parts.push({ counterDeltas: {}, gauges: {} });
  return parts.map((part, i) => ({
    kind: "stats",
    ...part,
    ...about,
    isLast: i === parts.length - 1,
  }));
}
