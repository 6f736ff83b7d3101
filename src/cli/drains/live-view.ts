/**
 * Drains under way as a picture that fits the terminal: four lines a drain with bars where there is room, one line
 * where there is not, and a count of those that found no place. Pure.
 */
import { ageText } from "../age.ts";
import type { Palette } from "../palette.ts";
import type { DrainJson } from "./drain-json.ts";
import { bar, printable, subject, timeLeftMs } from "./drains-view.ts";

export interface LiveFrame {
  /** The wall clock. */
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly palette: Palette;
}

/** Of a drain with bars. */
const linesEach = 4;
/** The heading, the line that counts the rest, and the cursor's own. */
const linesAround = 3;
/** Below this a bar says less than its numbers. */
const columnsForBars = 44;
const barMax = 32;

export function liveLines(drains: readonly DrainJson[], frame: LiveFrame): readonly string[] {
  const { palette, rows, columns } = frame;
  const left = drains.reduce((sum, { connections }) => sum + connections.remaining, 0);
  const heading =
    drains.length === 0
      ? palette.dim("nothing drains")
      : `${palette.bold(`${drains.length} under way`)}${palette.dim(`, ${left} left`)}`;
  const room = Math.max(1, rows - linesAround);
  const hasBars = columns >= columnsForBars && drains.length * linesEach <= room;
  const shown = hasBars ? drains : drains.slice(0, room);
  const lines = hasBars
    ? shown.flatMap((drain) => barLines(drain, frame))
    : compactLines(shown, frame);
  const rest = drains.length - shown.length;
  return [heading, ...lines, ...(rest > 0 ? [palette.dim(`and ${rest} more`)] : [])];
}

function barLines(drain: DrainJson, { nowMs, columns, palette }: LiveFrame): readonly string[] {
  const { at_start: atStart, notified, remaining } = drain.connections;
  // Name of the bar, its numbers, and how the others ended.
  const width = Math.max(8, Math.min(barMax, columns - 52));
  const startMs = Date.parse(drain.started_at);
  const wholeMs = Date.parse(drain.deadline) - startMs;
  const cause = printable([drain.cause, drain.strategy, ...drain.changed].join(", "));
  return [
    `${palette.bold(`#${drain.id} ${subject(drain)}`)}  ${palette.dim(cause)}`,
    `  left ${palette.cyan(bar(remaining, atStart, width))} ${remaining} of ${atStart}${endings(drain, palette)}`,
    `  told ${palette.yellow(bar(notified, atStart, width))} ${notified} of ${atStart}`,
    `  time ${palette.green(bar(nowMs - startMs, wholeMs, width))} ${timeText(drain, nowMs)} of ${ageText(wholeMs)}`,
  ];
}

function endings({ connections }: DrainJson, palette: Palette): string {
  const { finished, closed_by_peer: byPeer, forced } = connections;
  const cut = forced > 0 ? palette.red(`, ${forced} cut`) : "";
  return palette.dim(`  ${finished} finished, ${byPeer} by peer`) + cut;
}

/** The name gives way first, then the bar. */
function compactLines(
  drains: readonly DrainJson[],
  { nowMs, columns, palette }: LiveFrame,
): readonly string[] {
  const names = drains.map((drain) => `#${drain.id} ${subject(drain)}`);
  const nameWidth = Math.min(Math.max(...names.map(({ length }) => length)), columns >> 1);
  const barWidth = Math.max(0, Math.min(20, columns - nameWidth - 26));
  return drains.map((drain, index) => {
    const { at_start: atStart, remaining } = drain.connections;
    const name = (names[index] ?? "").slice(0, nameWidth).padEnd(nameWidth);
    const drawn = barWidth < 4 ? "" : `${palette.cyan(bar(remaining, atStart, barWidth))} `;
    return `${name} ${drawn}${remaining}/${atStart} ${timeText(drain, nowMs)}`;
  });
}

/** What may outlast its deadline lasts until the last connection has gone. */
function timeText(drain: DrainJson, nowMs: number): string {
  const leftMs = timeLeftMs(drain, nowMs);
  return leftMs >= 0 ? `${ageText(leftMs)} left` : `${ageText(-leftMs)} over`;
}
