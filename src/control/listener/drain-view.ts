/**
 * `GET /drains` and `/drains/ID`: the JSON shape itself, so its names are those of the wire. Those under way come
 * first, oldest first, then the last hundred that ended, newest first.
 */
import type {
  DrainCause,
  DrainPolicy,
  DrainStrategy,
  DrainTreatment,
  DrainedProtocol,
} from "../../shared/drain/drain.ts";

export interface DrainsView {
  readonly drains: readonly DrainView[];
}

export interface DrainView {
  readonly id: number;
  /** Null: this process. Otherwise one that it took over from (`server.hot_restart_generation`), which alone steers it. */
  readonly process_generation: number | null;
  readonly cause: DrainCause;
  /** Null: the whole server. */
  readonly listener: string | null;
  /** Of the version that drains; null for the whole server. */
  readonly generation: number | null;
  readonly version: string | null;
  /** Names, or ids where they have none, of the filter chains that drain; null: all of the listener. */
  readonly filter_chains: readonly string[] | null;
  /** Of its connections, where a part of them was ordered; null: all. */
  readonly percent: number | null;
  readonly direction: "all" | "inbound_only";
  /**
   * `complete`: nothing was left. `forced`: connections were cut. `expired`: time is up, they live on.
   * `cancelled`: it was taken back, they live on.
   */
  readonly state: "draining" | "complete" | "forced" | "expired" | "cancelled";
  /** RFC 3339, milliseconds. */
  readonly started_at: string;
  readonly deadline: string;
  readonly ended_at: string | null;
  readonly ended_by: DrainEndedBy | null;
  readonly strategy: DrainStrategy;
  /** What it was begun with; the deadline may have been moved since. */
  readonly policy: DrainPolicyView;
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

/**
 * `empty`: the last connection had gone. `deadline`: time was up. `order`: somebody ended or cancelled it.
 * `generations`: time was up, and was short because too many versions of the listener drained at once. `listener`: what it was a part of ended
 * first. `wider`: a drain began that covers it. `process`: the process ended.
 */
export type DrainEndedBy =
  | "empty"
  | "deadline"
  | "order"
  | "generations"
  | "listener"
  | "wider"
  | "process";

/** In the words and units of `filter_metadata["sluice.drain"]`: it may be copied there as it is. */
export interface DrainPolicyView {
  /** `30s`, `0.250s`. */
  readonly time: string;
  readonly strategy: DrainStrategy;
  readonly idle: DrainTreatment["idle"];
  readonly streams: DrainTreatment["streams"];
  readonly tcp: DrainTreatment["tcp"];
  /** Of the server's drains each listener's own holds. */
  readonly websocket: DrainPolicy["webSocket"];
  readonly idle_grace: string;
  readonly max_generations: number;
}

/** One drain with the connections that remain in it. */
export interface DrainDetailView extends DrainView {
  readonly remaining: readonly RemainingConnectionView[];
  /** How many of `connections.remaining` are listed: oldest first, a thousand at most. */
  readonly remaining_listed: number;
  /** Workers that did not answer in time: theirs are missing. */
  readonly silent_workers: readonly number[];
}

export interface RemainingConnectionView {
  /** As access logs have it (`%CONNECTION_ID%`). */
  readonly id: number;
  readonly worker: number;
  readonly peer: string;
  readonly local: string;
  readonly age_ms: number;
  readonly protocol: DrainedProtocol;
  /** It was told, and closes when it can. */
  readonly told: boolean;
  /** Requests under way; 1 for a TCP connection. */
  readonly streams: number;
  /** Of the request under way, its body; of a TCP connection, all. */
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly route: string | null;
  readonly cluster: string | null;
}
