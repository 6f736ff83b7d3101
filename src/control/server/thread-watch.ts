/**
 * What a thread's silence means, as Envoy's guard dog sees it (`GuardDogImpl::step`): each alarm once for each
 * silence, from the last sign of life on. Pure: whoever looks brings the time.
 */
import type { WatchdogConfig } from "../config/watchdogs.ts";

export type Alarm = "miss" | "megaMiss";

/** How often to look: half of the shortest silence that matters, as Envoy. Never busy, whatever is configured. */
export function lookEveryMs(config: WatchdogConfig): number {
  const { missMs, megaMissMs, killMs, multikillMs } = config;
  const shortest = Math.min(...[missMs, megaMissMs, killMs, multikillMs].filter((ms) => ms > 0));
  return Math.min(Math.max(10, shortest / 2), 60_000);
}

/** One silence, from its beginning to the next sign of life. */
export class Silence {
  #alarms = new Set<Alarm>();

  /** The alarms that are due and were not given yet. */
  alarmsAt(silentMs: number, { missMs, megaMissMs }: WatchdogConfig): readonly Alarm[] {
    const due: Alarm[] = [];
    if (silentMs > missMs) due.push("miss");
    if (silentMs > megaMissMs) due.push("megaMiss");
    const fresh = due.filter((alarm) => !this.#alarms.has(alarm));
    for (const alarm of fresh) this.#alarms.add(alarm);
    return fresh;
  }

  end(): void {
    this.#alarms.clear();
  }
}

/** A thread that is watched by another. */
export class ThreadWatch {
  readonly #readTouches: () => number;
  readonly #silence = new Silence();
  #touches: number;
  #heardMs: number;

  /** `readTouches`: changes whenever the thread shows that it lives. */
  constructor(readTouches: () => number, nowMs: number) {
    this.#readTouches = readTouches;
    this.#touches = readTouches();
    this.#heardMs = nowMs;
  }

  /** For how long it has been silent. */
  look(nowMs: number): number {
    const touches = this.#readTouches();
    if (touches !== this.#touches) {
      this.#touches = touches;
      this.#heardMs = nowMs;
      this.#silence.end();
    }
    return nowMs - this.#heardMs;
  }

  alarmsAt(silentMs: number, config: WatchdogConfig): readonly Alarm[] {
    return this.#silence.alarmsAt(silentMs, config);
  }

  /** Nobody looked for so long (the process was stopped, or who looks was busy): it counts against nobody. */
  excuse(unwatchedMs: number): void {
    this.#heardMs += unwatchedMs;
  }
}

/** Of the threads' silences, which end the process, and why, in Envoy's words. */
export function fatalSilence(
  silences: readonly number[],
  config: WatchdogConfig,
  killMs: number,
): { readonly threads: readonly number[]; readonly why: string } | undefined {
  const longerThan = (ms: number): number[] =>
    silences.flatMap((silentMs, thread) => (silentMs > ms ? [thread] : []));
  const stuck = killMs > 0 ? longerThan(killMs) : [];
  if (stuck.length > 0)
    return { threads: stuck, why: `stuck for more than watchdog_kill_timeout (${killMs} ms)` };
  const { multikillMs, multikillPercent } = config;
  const many = multikillMs > 0 ? longerThan(multikillMs) : [];
  const needed = Math.max(2, Math.ceil((multikillPercent / 100) * silences.length));
  if (many.length < needed) return undefined;
  return {
    threads: many,
    why: `stuck for more than watchdog_multikill_timeout (${multikillMs} ms)`,
  };
}
