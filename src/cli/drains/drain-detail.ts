/** One drain and the connections that remain in it, as lines for people. Pure. */
import { ageText } from "../age.ts";
import { tableLines } from "../table.ts";
import { type CountsJson, type DrainDetailJson, isUnderWay } from "./drain-json.ts";
import { printable, subject, timeLeftMs } from "./drains-view.ts";

export function detailLines(drain: DrainDetailJson, nowMs: number): readonly string[] {
  return [
    `drain ${drain.id} of ${subject(drain)}: ${drain.state}`,
    `  cause      ${causeText(drain)}`,
    `  time       ${timeText(drain, nowMs)}`,
    `  policy     ${policyText(drain)}`,
    `  connections ${countsText(drain.connections)}`,
    ...Object.entries(drain.by_protocol).map(
      ([protocol, counts]) => `    ${protocol.padEnd(9)} ${countsText(counts)}`,
    ),
    ...remainingLines(drain),
  ];
}

function causeText({ cause, update_class: updateClass, changed }: DrainDetailJson): string {
  const what = changed.length === 0 ? "" : `: ${printable(changed.join(", "))}`;
  return updateClass === null ? `${cause}${what}` : `${cause} by an update, ${updateClass}${what}`;
}

function timeText(drain: DrainDetailJson, nowMs: number): string {
  const began = `began ${drain.started_at}`;
  if (!isUnderWay(drain)) {
    const why = drain.ended_by ? ` (${drain.ended_by})` : "";
    return `${began}, ended ${drain.ended_at}${why}`;
  }
  const leftMs = timeLeftMs(drain, nowMs);
  const left = leftMs >= 0 ? `${ageText(leftMs)} left` : `${ageText(-leftMs)} over`;
  return `${began}, until ${drain.deadline}, ${left}`;
}

function policyText({ strategy, policy = {}, percent }: DrainDetailJson): string {
  const rest = Object.entries(policy).filter(([name]) => name !== "strategy");
  const share = percent === null || percent === undefined ? [] : [`${percent} percent`];
  return [strategy, ...rest.map(([name, value]) => `${name} ${value}`), ...share].join(", ");
}

function countsText(counts: CountsJson): string {
  return (
    `${counts.remaining} of ${counts.at_start} left, ${counts.notified} told, ` +
    `${counts.finished} finished, ${counts.closed_by_peer} closed by peer, ${counts.forced} cut`
  );
}

function remainingLines(drain: DrainDetailJson): readonly string[] {
  const { remaining, silent_workers: silent, connections } = drain;
  const notes =
    silent.length === 0
      ? []
      : [`worker ${silent.join(", ")} did not answer: what it holds is missing`];
  if (remaining.length === 0) return notes;
  const rows = remaining.map((each) => [
    String(each.id),
    String(each.worker),
    each.peer,
    ageText(each.age_ms),
    each.protocol,
    each.told ? "told" : "-",
    String(each.streams),
    bytesText(each.bytes_received),
    bytesText(each.bytes_sent),
    printable([each.route, each.cluster].filter((name) => name).join(" → ") || "-"),
  ]);
  const headings = ["ID", "WORKER", "PEER", "AGE", "PROTOCOL", "", "STREAMS", "IN", "OUT", "TO"];
  const more = connections.remaining - remaining.length;
  if (more > 0) notes.unshift(`and ${more} younger ones`);
  return ["", ...tableLines(headings, rows), ...notes];
}

/** Three digits at most: `812 B`, `9.5 KiB`, `118 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
