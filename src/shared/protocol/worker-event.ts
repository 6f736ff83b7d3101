/** All that a worker says to main. */
import type { DrainId, ListenerTag } from "../common/brand.ts";
import type { LogRecord } from "../common/log.ts";
import type { DrainCounts, DrainedProtocol } from "../drain/drain.ts";
import type { AccessLogBatch } from "./access-log-entry.ts";
import type { OnDemandWant } from "./on-demand.ts";
import type { ReplyId } from "./worker-command.ts";

export type WorkerEvent =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly reply: ReplyId }
  /** The answer to `countConnections`, before its `done`: by the ids of the chains that serve. */
  | {
      readonly kind: "connectionCounts";
      readonly reply: ReplyId;
      readonly counts: readonly (readonly [chain: string, count: number])[];
    }
  /** First connection of a listener that was added without its configuration. */
  | { readonly kind: "listenerConfigWanted"; readonly tag: ListenerTag }
  /** At most every 100 ms per drain, and always at the end: this worker's share of the counts. */
  | {
      readonly kind: "drainProgress";
      readonly drain: DrainId;
      readonly counts: Readonly<Partial<Record<DrainedProtocol, DrainCounts>>>;
    }
  /** Requests wait for it, and until `unwanted` more may come that do. */
  | { readonly kind: "wanted"; readonly want: OnDemandWant }
  /** The last request that waited for it is gone. */
  | { readonly kind: "unwanted"; readonly want: OnDemandWant }
  | { readonly kind: "log"; readonly record: LogRecord }
  /** For main to send; it gives `bytes` back to `WorkerInit.accessLogBytes`. */
  | { readonly kind: "accessLogEntries"; readonly batch: AccessLogBatch }
  | { readonly kind: "exited" };
