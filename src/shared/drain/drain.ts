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

/** How connections are treated, by what they are and by what they do. */
export interface DrainTreatment {
  readonly strategy: DrainStrategy;
  /** An h1 connection that was told is closed after this long without a byte. */
  readonly idleGraceMs: number;
  /**
   * HTTP connections on which nothing is under way. `close`: told when the drain begins; `spread`: at the
   * instant of their own; `keep`: at that instant too, but silence closes none of them before the deadline.
   */
  readonly idle: "close" | "spread" | "keep";
  /** Requests and streams still under way at the deadline: cut, or left to finish. */
  readonly streams: "finish" | "deadline";
  /** Of the TCP proxy, and tunnels of CONNECT: cut at the deadline, closed at an instant of their own, or left alone for ever. */
  readonly tcp: "deadline" | "spread" | "keep";
}

/** A day: what takes longer is no drain. */
export const drainMsMax = 86_400_000;

/** Per listener, from `filter_metadata["sluice.drain"]`; Envoy's flags are the defaults. */
export interface DrainPolicy extends DrainTreatment {
  readonly timeMs: number;
  /** Versions of one listener that may drain at their own pace; beyond it the oldest is forced. At least 1. */
  readonly maxGenerations: number;
  /**
   * WebSockets: cut at the deadline with nothing said, or each end hears a Close when the connection is told. Whichever
   * drain it is, that of their own listener's policy holds: frames are followed from the first on, or not at all.
   */
  readonly webSocket: "deadline" | "close";
}

/** What the flags do not say. */
export const drainPolicyDefaults: Omit<DrainPolicy, "timeMs" | "strategy"> = {
  idleGraceMs: 5_000,
  idle: "spread",
  streams: "deadline",
  tcp: "deadline",
  maxGenerations: 4,
  webSocket: "deadline",
};

/** What workers need of a drain. Instants are on the process's monotonic clock. */
export interface DrainStart extends DrainTreatment {
  readonly id: DrainId;
  readonly cause: DrainCause;
  readonly startMs: number;
  readonly deadlineMs: number;
  /** False for a drain of the server: whoever ordered it ends the process. */
  readonly cutsAtDeadline: boolean;
}

/** Some of its connections may outlast the deadline, and the drain lasts with them. */
export function mayOutlastDeadline({ streams, tcp }: DrainTreatment): boolean {
  return streams === "finish" || tcp === "keep";
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
