/**
 * `GET /drains`: the JSON shape itself, so its names are those of the wire. Those under way come first, oldest
 * first, then the last hundred that ended, newest first.
 */
import type { DrainCause, DrainStrategy } from "../../shared/drain/drain.ts";

export interface DrainsView {
  readonly drains: readonly DrainView[];
}

export interface DrainView {
  readonly id: number;
  readonly cause: DrainCause;
  /** Null: the whole server. */
  readonly listener: string | null;
  /** Of the version that drains; null for the whole server. */
  readonly generation: number | null;
  readonly version: string | null;
  /** Names, or ids where they have none, of the filter chains that drain; null: all of the listener. */
  readonly filter_chains: readonly string[] | null;
  /** `complete`: nothing was left. `forced`: connections were cut. `expired`: time is up, they live on. */
  readonly state: "draining" | "complete" | "forced" | "expired";
  /** RFC 3339, milliseconds. */
  readonly started_at: string;
  readonly deadline: string;
  readonly ended_at: string | null;
  readonly strategy: DrainStrategy;
  /** Of the update that caused it; null for removals and server-wide drains. */
  readonly update_class: "filter-chains" | "full" | null;
  /** The fields of the update that caused it. */
  readonly changed: readonly string[];
  readonly connections: DrainConnectionsView;
  readonly by_protocol: Readonly<Record<string, DrainConnectionsView>>;
}

/** `at_start = finished + closed_by_peer + forced + remaining`, always. */
export interface DrainConnectionsView {
  readonly at_start: number;
  readonly notified: number;
  readonly finished: number;
  readonly closed_by_peer: number;
  readonly forced: number;
  readonly remaining: number;
}
