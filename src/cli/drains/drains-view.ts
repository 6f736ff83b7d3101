/** Drains as lines for people. Pure: the clock is passed in, so a countdown can be drawn between messages. */
import { ageText } from "../age.ts";
import { tableLines } from "../table.ts";
import { type DrainJson, isUnderWay } from "./drain-json.ts";

const barWidth = 20;

/** What is true now, one line a drain; `nowMs`: the wall clock. */
export function drainTable(drains: readonly DrainJson[], nowMs: number): readonly string[] {
  if (drains.length === 0) return ["no drains"];
  const rows = drains.map((drain) => {
    const { at_start: atStart, remaining, forced } = drain.connections;
    return [
      String(drain.id),
      subject(drain),
      drain.cause,
      drain.state,
      isUnderWay(drain) ? ageText(timeLeftMs(drain, nowMs)) : "-",
      bar(remaining, atStart, barWidth),
      `${remaining} of ${atStart}`,
      String(forced),
    ];
  });
  return tableLines(["ID", "OF", "CAUSE", "STATE", "LEFT", "", "REMAINING", "CUT"], rows);
}

/** One event in one line, for a log: that a drain began, or how it ended. */
export function drainLine(drain: DrainJson): string {
  const { at_start: atStart, finished, closed_by_peer, forced, remaining } = drain.connections;
  const what = `drain ${drain.id} of ${subject(drain)} (${drain.cause})`;
  // Workers have not counted yet.
  if (isUnderWay(drain) && atStart === 0) return `${what} begins, until ${drain.deadline}`;
  if (isUnderWay(drain))
    return `${what}: ${remaining} of ${atStart} connections left, until ${drain.deadline}`;
  return (
    `${what} ended, ${drain.state}: ${atStart} connections, ${finished} finished, ` +
    `${closed_by_peer} closed by peer, ${forced} cut, ${remaining} remain`
  );
}

export function subject(drain: DrainJson): string {
  const { listener, version, filter_chains: chains, process_generation: elder } = drain;
  const where = elder ? ` of generation ${elder}` : "";
  if (listener === null) return `the server${where}`;
  const part = chains === null ? "" : ` chains ${chains.join(",")}`;
  return printable(`${listener}${version ? `@${version}` : ""}${part}${where}`);
}

/** Below 0 where it lasts beyond its deadline. */
export function timeLeftMs({ deadline }: DrainJson, nowMs: number): number {
  return Date.parse(deadline) - nowMs;
}

/** Not empty while anything is left of the whole. */
export function bar(part: number, whole: number, width: number): string {
  const filled = whole === 0 ? 0 : Math.min(width, Math.ceil((part / whole) * width));
  return "█".repeat(filled) + "░".repeat(width - filled);
}

/** A name that came over the network must not draw on the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}
