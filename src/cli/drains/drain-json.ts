/** What `/drains` and `/drains/ID` tell, as far as it is shown here. A proxy of another version may tell less. */
export interface DrainJson {
  readonly id: number;
  /** Null or absent: the process that was asked. */
  readonly process_generation?: number | null;
  readonly cause: string;
  readonly listener: string | null;
  readonly version: string | null;
  readonly filter_chains: readonly string[] | null;
  readonly percent?: number | null;
  readonly state: string;
  readonly started_at: string;
  readonly deadline: string;
  readonly ended_at: string | null;
  readonly ended_by?: string | null;
  readonly strategy: string;
  readonly policy?: Readonly<Record<string, string | number>>;
  readonly update_class: string | null;
  readonly changed: readonly string[];
  readonly connections: CountsJson;
  readonly by_protocol: Readonly<Record<string, CountsJson>>;
}

export interface CountsJson {
  readonly at_start: number;
  readonly notified: number;
  readonly finished: number;
  readonly closed_by_peer: number;
  readonly forced: number;
  readonly remaining: number;
}

export interface DrainsJson {
  readonly drains: readonly DrainJson[];
}

export interface DrainDetailJson extends DrainJson {
  readonly remaining: readonly RemainingJson[];
  readonly silent_workers: readonly number[];
}

export interface RemainingJson {
  readonly id: number;
  readonly worker: number;
  readonly peer: string;
  readonly age_ms: number;
  readonly protocol: string;
  readonly told: boolean;
  readonly streams: number;
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly route: string | null;
  readonly cluster: string | null;
}

export function isUnderWay({ state }: DrainJson): boolean {
  return state === "draining";
}

/** Connections were still there when it ended, and were cut or live on. */
export function hasSurvivors({ connections, state }: DrainJson): boolean {
  return state !== "draining" && connections.remaining + connections.forced > 0;
}
