/** A plan as a table for people, and as an exit code for programs. */
import { tableLines } from "../cli/table.ts";
import type {
  PlannedDrainView,
  PlannedListenerView,
  PlanView,
} from "../control/listener/plan-view.ts";

const headings = ["LISTENER", "CLASS", "DRAINS", "CONNECTIONS", "TIME", "BECAUSE OF"];

/** 0: nothing drains. 2: something does. 1: a listener would be refused. */
export function exitCodeOf({ classes, draining_listeners: draining }: PlanView): 0 | 1 | 2 {
  if (classes.refused !== undefined) return 1;
  return draining > 0 ? 2 : 0;
}

export function planLines(plan: PlanView): readonly string[] {
  return [...tableLines(headings, plan.listeners.map(cells)), "", summary(plan)];
}

const classTexts: Partial<Record<PlannedListenerView["class"], string>> = {
  filterChains: "filter chains",
  equivalent: "equal in meaning",
};

function cells({
  name,
  class: planned,
  changed,
  reason,
  drain,
}: PlannedListenerView): readonly string[] {
  return [
    name === "" ? "-" : oneLine(name),
    classTexts[planned] ?? planned,
    drain ? drainedText(drain) : "nothing",
    drain ? String(drain.connections ?? "?") : "-",
    drain ? `${drain.time_s} s, ${drain.strategy}` : "-",
    oneLine(reason ?? changed.join(", ")),
  ];
}

function drainedText({ filter_chains: chains }: PlannedDrainView): string {
  if (!chains) return "the listener";
  const each = chains.map(({ name, connections }) =>
    connections === null ? name : `${name} (${connections})`,
  );
  return `${chains.length === 1 ? "chain" : "chains"} ${oneLine(each.join(", "))}`;
}

function summary({
  listeners,
  draining_listeners: draining,
  draining_connections: connections,
}: PlanView): string {
  if (listeners.length === 0) return "no listeners";
  if (draining === 0) return `nothing drains of ${counted(listeners.length, "listener")}`;
  const open = connections === null ? "" : `, ${counted(connections, "open connection")}`;
  return `${draining} of ${counted(listeners.length, "listener")} would drain${open}`;
}

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;

/** What came over the network must not draw on the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}
