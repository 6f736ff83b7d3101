/** How short resources are, and how far that turns a thing on. Pure. */
import type { TriggerConfig } from "../config/overload-manager.ts";

/** 0: off; 1: saturated; in between it is on for that share of requests or connections. */
export function scaleOf(
  triggers: readonly TriggerConfig[],
  pressures: ReadonlyMap<string, number>,
): number {
  return Math.max(0, ...triggers.map((each) => triggered(each, pressures.get(each.monitor) ?? 0)));
}

function triggered({ from, to }: TriggerConfig, pressure: number): number {
  if (pressure >= to) return 1;
  return pressure <= from ? 0 : (pressure - from) / (to - from);
}

/** What a file of `injected_resource` says; undefined: nothing that is a pressure. */
export function pressureIn(text: string): number | undefined {
  const trimmed = text.trim();
  const pressure = trimmed === "" ? Number.NaN : Number(trimmed);
  return pressure >= 0 && pressure <= 1 ? pressure : undefined;
}
