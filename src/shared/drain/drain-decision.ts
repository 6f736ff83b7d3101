/**
 * When one connection is told that its drain has begun. Pure.
 *
 * Each connection draws one instant, once, uniformly over the window less its grace, and is told then
 * whether it is busy or idle: the share told by time t is t over the window, whatever the request rate.
 * (Envoy polls per response, so busy connections all go early and idle ones late: docs, operations/draining.)
 */
import type { Random } from "../common/random.ts";
import type { DrainStart } from "./drain.ts";

/**
 * The instant at which to tell a connection, never before `nowMs`. One that was accepted after the start
 * (from an emptied accept queue) draws over the whole window too and joins the share that was told
 * already, so late ones do not crowd the end.
 */
export function drawDrainInstant(drain: DrainStart, nowMs: number, random: Random): number {
  switch (drain.strategy) {
    case "immediate":
      return nowMs;
    case "gradual":
      return Math.max(nowMs, drain.startMs + random.next() * gradualWindowMs(drain));
    default:
      return drain.strategy satisfies never;
  }
}

/**
 * Milliseconds over which connections are told. The grace at the end lets the last one told still finish;
 * a drain shorter than twice its grace gives half its time to each.
 */
export function gradualWindowMs(drain: DrainStart): number {
  const durationMs = Math.max(0, drain.deadlineMs - drain.startMs);
  return Math.max(durationMs - drain.idleGraceMs, durationMs / 2);
}

/** What one connection of a drain has to do next; instants on the drain's clock. */
export type DrainStep =
  | { readonly kind: "tell"; readonly atMs: number }
  | { readonly kind: "cut"; readonly atMs: number }
  /** Told, and nothing happens at the deadline. */
  | { readonly kind: "none" };

/** `instantMs`: what the connection drew. */
export function nextDrainStep(drain: DrainStart, instantMs: number, isTold: boolean): DrainStep {
  if (!isTold) return { kind: "tell", atMs: instantMs };
  return drain.atDeadline === "cut" ? { kind: "cut", atMs: drain.deadlineMs } : { kind: "none" };
}
