/**
 * What an old process tells the new one while it drains: its drains, and by a directory its stats, too (by epochs they are
 * asked for, as Envoy does). What a drain is is not known here: whoever shows it looks at it.
 */
import { type JsonRecord, isCount, isRecord } from "../json-checks.ts";

/** Of each message. */
export const generationsMax = 4;
export const drainsMax = 64;
export const statsMax = 2_000;

/** Drains of one process. */
export interface ToldDrains {
  /** `server.hot_restart_generation` of the process. */
  readonly generation: number;
  /** As `/drains` has them. */
  readonly drains: readonly unknown[];
}

export interface ToldStats {
  /** What was added since the message before. */
  readonly counterDeltas: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly generation: number;
  /** When the first process of all started, in seconds since 1970. */
  readonly startedS: number;
}

export type ReportMessage =
  /** All of them, of that process and of those that it tells of. */
  | { readonly kind: "drains"; readonly generations: readonly ToldDrains[] }
  /** Stats come in parts; the last of them makes them whole. */
  | ({ readonly kind: "stats"; readonly isLast: boolean } & ToldStats)
  /** By epochs: no connection is left, and none can come. */
  | { readonly kind: "empty" };

/** A text: why it is no such message; undefined: it is of another kind. */
export function decodeReport(value: JsonRecord): ReportMessage | string | undefined {
  if (value["kind"] === "drains") return decodeDrains(value);
  if (value["kind"] === "stats") return decodeStats(value);
  if (value["kind"] === "empty") return { kind: "empty" };
  return undefined;
}

function decodeDrains({ generations }: JsonRecord): ReportMessage | string {
  if (!Array.isArray(generations) || generations.length > generationsMax)
    return "generations: no short list";
  const told = generations.filter(isToldDrains);
  if (told.length < generations.length) return "generations: one has no number or no drains";
  return { kind: "drains", generations: told };
}

function isToldDrains(value: unknown): value is ToldDrains {
  if (!isRecord(value)) return false;
  const { generation, drains } = value;
  return (
    isCount(generation, Number.MAX_SAFE_INTEGER) &&
    Array.isArray(drains) &&
    drains.length <= drainsMax
  );
}

function decodeStats(value: JsonRecord): ReportMessage | string {
  const { counterDeltas, gauges, connections, generation, startedS, isLast } = value;
  if (!isNumbers(counterDeltas) || !isNumbers(gauges)) return "stats: no numbers by name";
  for (const count of [connections, generation, startedS])
    if (!isCount(count, Number.MAX_SAFE_INTEGER)) return "stats: a number is missing";
  const about = { connections, generation, startedS } as Pick<
    ToldStats,
    "connections" | "generation" | "startedS"
  >;
  return { kind: "stats", counterDeltas, gauges, ...about, isLast: isLast === true };
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
  if (!isRecord(value)) return false;
  const numbers = Object.values(value);
  return (
    numbers.length <= statsMax &&
    numbers.every((each) => typeof each === "number" && Number.isFinite(each))
  );
}
