/**
 * A drain is an object, not a flag: made once on main, sent to every worker, so that all its
 * connections share one timeline. What follows from it is decided in `drain-decision.ts`.
 */
import type { DrainId } from "../common/brand.ts";

export type DrainType = "default" | "modifyOnly";
export type DrainStrategy = "gradual" | "immediate";
/** Ordered: a drain in a wider direction covers the narrower (Envoy: `DrainDirection`). */
export type DrainDirection = "inboundOnly" | "all";

export type DrainCause =
  | "lds-remove"
  | "lds-replace"
  | "filter-chain"
  | "admin"
  | "hot-restart"
  | "shutdown";

/** Per listener, from `filter_metadata["sluice.drain"]`; Envoy's flags are the defaults. */
export interface DrainPolicy {
  readonly timeMs: number;
  readonly strategy: DrainStrategy;
  /** An h1 connection that was told is closed after this long without a byte. */
  readonly idleGraceMs: number;
  /** What happens to streams and TCP connections still there at the deadline. */
  readonly atDeadline: "cut" | "keep";
}

export const idleGraceMsDefault = 5_000;

/** What workers need of a drain. Instants are on the process's monotonic clock. */
export interface DrainStart {
  readonly id: DrainId;
  readonly cause: DrainCause;
  readonly startMs: number;
  readonly deadlineMs: number;
  readonly strategy: DrainStrategy;
  readonly idleGraceMs: number;
  readonly atDeadline: "cut" | "keep";
}

export type DrainedProtocol = "http1" | "http2" | "websocket" | "tcp";
export const drainedProtocols = ["http1", "http2", "websocket", "tcp"] as const;

/** Connections of one drain. `atStart = finished + closedByPeer + forced + remaining`, always. */
export interface DrainCounts {
  readonly atStart: number;
  /** Told so far: marked for `connection: close`, sent GOAWAY. */
  readonly notified: number;
  /** Ended as the drain asked: after being told, by us, with nothing cut. */
  readonly finished: number;
  readonly closedByPeer: number;
  /** Cut at the deadline. */
  readonly forced: number;
  readonly remaining: number;
}

export const noDrainCounts: DrainCounts = {
  atStart: 0,
  notified: 0,
  finished: 0,
  closedByPeer: 0,
  forced: 0,
  remaining: 0,
};
