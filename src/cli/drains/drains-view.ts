/** `GET /drains` as lines for people. Pure: the clock is passed in, so a countdown can be drawn between messages. */
import { ageText } from "../age.ts";
import { tableLines } from "../table.ts";

/** As far as it is shown. */
export interface DrainJson {
  readonly id: number;
  readonly cause: string;
  readonly listener: string | null;
  readonly version: string | null;
  readonly filter_chains: readonly string[] | null;
  readonly state: string;
  readonly started_at: string;
  readonly deadline: string;
  readonly ended_at: string | null;
  readonly connections: {
    readonly at_start: number;
    readonly finished: number;
    readonly closed_by_peer: number;
    readonly forced: number;
    readonly remaining: number;
  };
}

export interface DrainsJson {
  readonly drains: readonly DrainJson[];
}

const barWidth = 20;

export function isUnderWay({ state }: DrainJson): boolean {
  return state === "draining";
}

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
      isUnderWay(drain) ? timeLeft(drain, nowMs) : "-",
      bar(remaining, atStart),
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
  if (isUnderWay(drain))
    return `${what}: ${remaining} of ${atStart} connections left, until ${drain.deadline}`;
  return (
    `${what} ended, ${drain.state}: ${atStart} connections, ${finished} finished, ` +
    `${closed_by_peer} closed by peer, ${forced} cut, ${remaining} remain`
  );
}

function subject({ listener, version, filter_chains: chains }: DrainJson): string {
  if (listener === null) return "the server";
  const part = chains === null ? "" : ` chains ${chains.join(",")}`;
  return printable(`${listener}${version ? `@${version}` : ""}${part}`);
}

function timeLeft({ deadline }: DrainJson, nowMs: number): string {
  return ageText(Date.parse(deadline) - nowMs);
}

function bar(remaining: number, atStart: number): string {
  const filled = atStart === 0 ? 0 : Math.ceil((remaining / atStart) * barWidth);
  return "█".repeat(filled) + "░".repeat(barWidth - filled);
}

/** A name that came over the network must not draw on the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}
