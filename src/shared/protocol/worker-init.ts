/** What a worker is born with (`workerData`). Everything shared between threads is named here. */
import type { MessagePort } from "node:worker_threads";
import type { StatBlock } from "../stats/stat-group.ts";

export interface WorkerInit {
  /** 0 … concurrency - 1. */
  readonly index: number;
  readonly concurrency: number;
  readonly reactor: "epoll" | "node";
  /** This worker's stats; it is the only writer. */
  readonly slab: SharedArrayBuffer;
  /** Int32 counters that are exact over all workers; see `limitLayout`. */
  readonly limits: SharedArrayBuffer;
  /** One level a component, as `createLoggers` wants it. */
  readonly logLevels: SharedArrayBuffer;
  readonly slots: {
    readonly sluice: StatBlock;
    /** `enable_dispatcher_stats`; undefined: the loop is not measured. */
    readonly dispatcher: StatBlock | undefined;
    /** Whom the overload manager turned away: 0, the sink, where it is not configured. */
    readonly overload: {
      readonly connections: StatBlock;
      readonly accept: StatBlock;
      readonly headers: StatBlock;
    };
  };
  /** How often it shows that it lives: `Pulse`. */
  readonly pulseMs: number;
  /** Ports to the other workers, by index (its own place is undefined): accepted descriptors are handed on through them. */
  readonly peers: readonly (MessagePort | undefined)[];
  /** Most bytes of arena this worker may map. */
  readonly arenaBytesMax: number;
  /** Bytes and milliseconds after which access logs are flushed (`--file-flush-*`). */
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinBytes: number;
  /** In the shared limits: bytes of access log entries on their way to main, which counts them down. */
  readonly accessLogBytes: number;
  /** `--http-filter`: main has loaded them before. */
  readonly httpFilterFiles: readonly string[];
}

/**
 * The first Int32s of the shared limits are each worker's open connections, for balancing; then comes the count
 * of all accepted ones, for the limit of the process; then each worker's sign of life, and main's; then the state of the
 * overload manager; then main allocates.
 */
export const limitLayout = {
  workersMax: 256,
  acceptedConnections: 256,
  touches: 257,
  /** Of `overload.ts`. */
  overload: 514,
  firstFree: 530,
} as const;

/** All that workers say to each other. */
export type PeerMessage =
  | HandedConnection
  /** "Say `synced` with my number": everything handed over before it has then been taken. */
  | { readonly sync: number }
  | { readonly synced: number };

/** A connection handed on: descriptors are numbers of the process, not of the thread. */
export interface HandedConnection {
  readonly tag: number;
  readonly descriptor: number;
  /** The listener's counter in the shared limits: the connection is counted there already. */
  readonly connectionCount: number;
  /** Handed back: the other worker does not know the listener yet. Whoever gets this serves it. */
  readonly isReturned: boolean;
}
