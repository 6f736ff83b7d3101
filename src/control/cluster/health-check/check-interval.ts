/** How long until a host is checked again (Envoy: `HealthCheckerImplBase::interval`). Pure but for chance. */
import type { Random } from "../../../shared/common/random.ts";
import type { HealthCheckIntervals } from "../../config/health-check-config.ts";
import type { Transition } from "./check-state.ts";

/** An interval below it would keep the thread busy (Envoy: `health_check.min_interval`, 1 ms). */
const intervalMsMin = 1;

export interface LastCheck {
  readonly isSuccess: boolean;
  readonly transition: Transition;
  /** The cluster had a connection at some time. */
  readonly hasTraffic: boolean;
}

export function nextCheckMs(
  intervals: HealthCheckIntervals,
  last: LastCheck,
  random: Random,
): number {
  const baseMs = baseIntervalMs(intervals, last);
  return Math.max(intervalMsMin, baseMs + jitterMs(intervals, baseMs, random));
}

/** Of the first check. */
export function firstCheckMs(intervals: HealthCheckIntervals, random: Random): number {
  return Math.floor(random.next() * intervals.initialJitterMs);
}

function baseIntervalMs(intervals: HealthCheckIntervals, last: LastCheck): number {
  const isPending = last.transition === "pending";
  if (!last.hasTraffic)
    return last.isSuccess && !isPending ? intervals.noTrafficHealthyMs : intervals.noTrafficMs;
  if (last.isSuccess) return isPending ? intervals.healthyEdgeMs : intervals.intervalMs;
  return isPending ? intervals.unhealthyEdgeMs : intervals.unhealthyMs;
}

function jitterMs(
  { jitterMs: most, jitterPercent }: HealthCheckIntervals,
  baseMs: number,
  random: Random,
): number {
  const share = Math.floor(random.next() * ((baseMs * jitterPercent) / 100));
  return share + Math.floor(random.next() * most);
}
