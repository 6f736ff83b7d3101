/**
 * When one connection is told that its drain has begun. Pure.
 *
 * Each connection is given one instant, once, over the window less its grace, and is told then whether it is
 * busy or idle: the share told by time t is t over the window, whatever the request rate. (Envoy polls
 * per response, so busy connections all go early and idle ones late: docs, operations/draining.)
 */
import type { DrainStart, DrainedProtocol } from "./drain.ts";

/** The golden ratio less one: of all steps round a circle it leaves the most even gaps (Knuth, TAOCP 6.4). */
const evenStep = 0.618_033_988_749_895;

/** What a close in order is given before the deadline: some ticks of the timers, and the way to the client and back. */
const closeMsMax = 100;

/**
 * The place in the window, over [0, 1), of the n-th connection of a drain. Independent draws would bunch: a tenth
 * of the window would often hold 8 or 12 percent of two thousand. These never do, and neither does any regular
 * part of them, whichever connections are idle. `offset`: drawn once a drain, uniform over [0, 1).
 */
export function evenPlace(n: number, offset: number): number {
  return (offset + n * evenStep) % 1;
}

/**
 * The instant at which to tell the connection of a place, never before `nowMs`. One that was accepted after the
 * start (from an emptied accept queue) has its place in the whole window too and joins the share that was
 * told already, so late ones do not crowd the end.
 */
export function drainInstant(drain: DrainStart, nowMs: number, place: number): number {
  switch (drain.strategy) {
    case "immediate":
      return nowMs;
    case "gradual":
      return Math.max(nowMs, drain.startMs + place * gradualWindowMs(drain));
    default:
      return drain.strategy satisfies never;
  }
}

/**
 * Milliseconds over which connections are told. The grace at the end lets the last one told still finish;
 * a drain shorter than twice its grace gives half its time to each.
 */
export function gradualWindowMs(drain: DrainStart): number {
  const durationMs = durationMsOf(drain);
  return Math.max(durationMs - Math.max(drain.idleGraceMs, closeMs(drain)), durationMs / 2);
}

/** How a connection that was told ends of its own accord. */
export interface SilencePlan {
  /** Milliseconds without a byte after which it is closed. */
  readonly graceMs: number;
  /** It is closed then at the latest, were there bytes or not, if nothing is under way. */
  readonly endsMs: number;
}

/** The end is a little before the deadline: it is not to be by chance whether the one or the other closes it. */
export function silencePlan(drain: DrainStart): SilencePlan {
  return {
    graceMs: drain.idle === "keep" ? Infinity : drain.idleGraceMs,
    endsMs: drain.deadlineMs - closeMs(drain),
  };
}

function closeMs(drain: DrainStart): number {
  return Math.min(closeMsMax, durationMsOf(drain) / 8);
}

function durationMsOf({ startMs, deadlineMs }: DrainStart): number {
  return Math.max(0, deadlineMs - startMs);
}

/** What one connection of a drain has to do next; instants on the drain's clock. */
export type DrainStep =
  | { readonly kind: "tell"; readonly atMs: number }
  | { readonly kind: "cut"; readonly atMs: number }
  /** Told, and left to end by itself. */
  | { readonly kind: "none" };

/** What a connection is at the moment. */
export interface DrainedState {
  readonly protocol: DrainedProtocol;
  /** No request or stream is under way. Of TCP never known, so false. */
  readonly isIdle: boolean;
  readonly isTold: boolean;
}

/**
 * `instantMs`: the connection's own. The step of a connection that is busy at the deadline may be `none`, and
 * `cut` when it is asked again.
 */
export function nextDrainStep(
  drain: DrainStart,
  instantMs: number,
  { protocol, isIdle, isTold }: DrainedState,
  nowMs: number,
): DrainStep {
  if (!isTold) {
    const isAtOnce = isIdle && drain.idle === "close";
    return { kind: "tell", atMs: isAtOnce ? nowMs : instantMs };
  }
  if (!drain.cutsAtDeadline) return { kind: "none" };
  const isLeftToFinish =
    protocol === "tcp"
      ? drain.tcp === "keep"
      : drain.streams === "finish" && nowMs >= drain.deadlineMs && !isIdle;
  return isLeftToFinish ? { kind: "none" } : { kind: "cut", atMs: drain.deadlineMs };
}
