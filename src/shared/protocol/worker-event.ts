/** All that a worker says to main. */
import type { DrainId, ListenerTag } from "../common/brand.ts";
import type { LogRecord } from "../common/log.ts";
import type { DrainCounts, DrainedProtocol } from "../drain/drain.ts";
import type { AccessLogBatch } from "./access-log-entry.ts";
import type { OnDemandWant } from "./on-demand.ts";
import type { MovedConnection } from "./moved-connection.ts";
import type { ReplyId } from "./worker-command.ts";

export type WorkerEvent =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly reply: ReplyId }
  /** First connection of a listener that was added without its configuration. */
  | { readonly kind: "listenerConfigWanted"; readonly tag: ListenerTag }
  /** At most every 100 ms per drain, and always at the end: this worker's share of the counts. */
  | {
      readonly kind: "drainProgress";
      readonly drain: DrainId;
      readonly counts: Readonly<Partial<Record<DrainedProtocol, DrainCounts>>>;
    }
  /** To a command that carried the number of the question. */
  | { readonly kind: "answer"; readonly question: number; readonly answer: WorkerAnswer }
  /** Requests wait for it, and until `unwanted` more may come that do. */
  | { readonly kind: "wanted"; readonly want: OnDemandWant }
  /** The last request that waited for it is gone. */
  | { readonly kind: "unwanted"; readonly want: OnDemandWant }
  /** Calls of gRPC to the cluster are counted under it for the first time: `grpc.<service>.<method>.`, behind the cluster's. */
  | { readonly kind: "grpcStatsWanted"; readonly cluster: string; readonly prefix: string }
  /** Main's from now on, for another process. */
  | {
      readonly kind: "connectionsGiven";
      readonly tag: ListenerTag;
      readonly connections: readonly MovedConnection[];
      /** Of the listener's connections: they are still counted there, so that nobody takes it for empty. */
      readonly countedAt: number;
    }
  | { readonly kind: "log"; readonly record: LogRecord }
  /** For main to send; it gives `bytes` back to `WorkerInit.accessLogBytes`. */
  | { readonly kind: "accessLogEntries"; readonly batch: AccessLogBatch }
  | { readonly kind: "exited" };

export type WorkerAnswer =
  /** `told`: of the connections that were in it, how many are open and close all the same, since they were told. */
  | { readonly kind: "drainCancelled"; readonly told: number }
  | { readonly kind: "remaining"; readonly connections: readonly RemainingConnection[] }
  /** By the ids of the chains that serve. */
  | {
      readonly kind: "connectionCounts";
      readonly counts: readonly (readonly [chain: string, count: number])[];
    };

/** One connection that a drain waits for, as it is at the moment. */
export interface RemainingConnection {
  readonly id: number;
  /** As printed. */
  readonly peer: string;
  readonly local: string;
  readonly ageMs: number;
  readonly protocol: DrainedProtocol;
  readonly isTold: boolean;
  readonly progress: StreamProgress;
}

/** What is under way on one connection. */
export interface StreamProgress {
  /** Requests; of TCP always 1. */
  readonly streams: number;
  /** Body bytes of the request under way and its response; of TCP all bytes of the connection. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly route: string | undefined;
  readonly cluster: string | undefined;
}

export const noProgress: StreamProgress = {
  streams: 0,
  bytesReceived: 0,
  bytesSent: 0,
  route: undefined,
  cluster: undefined,
};
