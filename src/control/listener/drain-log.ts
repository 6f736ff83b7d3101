/**
 * The two log lines of a drain: what began and why, what became of it. Each tells the whole story, so that one line of
 * a log read a week later needs no other. Pure.
 */
import type { DrainConnectionsView, DrainView } from "./drain-view.ts";

export function drainBeganText(drain: DrainView): string {
  const { policy } = drain;
  return (
    `drain ${drain.id} begins: ${causeText(drain)}; ${policy.strategy} over ${policy.time}, ` +
    `until ${drain.deadline}; idle ${policy.idle} (grace ${policy.idle_grace}), ` +
    `streams ${policy.streams}, tcp ${policy.tcp}, websocket ${policy.websocket}, ` +
    `max_generations ${policy.max_generations}`
  );
}

export function drainEndedText(drain: DrainView, lengthMs: number): string {
  const byProtocol = Object.entries(drain.by_protocol)
    .map(([protocol, counts]) => `; ${protocol}: ${countsText(counts)}`)
    .join("");
  const by = drain.ended_by === null ? "" : ` by ${drain.ended_by}`;
  return (
    `drain ${drain.id} ends: ${drain.state}${by} after ${(lengthMs / 1_000).toFixed(3)} s; ` +
    `${causeText(drain)}; deadline ${drain.deadline}; ${countsText(drain.connections)}${byProtocol}`
  );
}

function causeText(drain: DrainView): string {
  const part = drain.percent === null ? "" : `${drain.percent} percent of `;
  const chains = drain.filter_chains;
  const ofChains = chains === null ? "" : `filter chains ${chains.join(", ")} of `;
  const update = drain.update_class === null ? "" : `, ${drain.update_class} update`;
  const changed = drain.changed.length === 0 ? "" : `, changed: ${drain.changed.join(", ")}`;
  return `${drain.cause} of ${part}${ofChains}${subjectText(drain)}${update}${changed}`;
}

function subjectText({ listener, generation, version, direction }: DrainView): string {
  if (listener !== null)
    return `listener '${listener}' (generation ${generation}, version '${version}')`;
  return direction === "all" ? "the server" : "the server's inbound listeners";
}

function countsText(counts: DrainConnectionsView): string {
  return (
    `${counts.at_start} connections, ${counts.notified} told, ${counts.finished} finished, ` +
    `${counts.closed_by_peer} closed by peer, ${counts.forced} cut, ${counts.remaining} remain`
  );
}
