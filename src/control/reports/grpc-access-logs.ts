/**
 * All gRPC access logs of the process: batches of workers in, one stream to each destination out (Envoy:
 * `GrpcAccessLoggerCacheImpl`, which has one a worker).
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { AccessLogBatch } from "../../shared/protocol/access-log-entry.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import { type AccessLogDestination, readDestination } from "../config/grpc-access-logs.ts";
import type { AdsStreamHandlers } from "../xds/ads-stream.ts";
import { writeAccessLogs } from "./access-log-messages.ts";
import { AccessLogStream } from "./access-log-stream.ts";
import type { ReportStream } from "./report-stream.ts";

/** `access_logs.grpc_access_log.` */
const logStats = defineStats({
  counters: ["logs_written", "logs_dropped", "grpc_entries_flushed", "grpc_entries_flush_failed"],
});

/** A log that had nothing to say for so long is no longer configured, or does not need its stream. */
const idleMsMax = 5 * 60_000;

export interface GrpcAccessLogsParts {
  readonly clock: Clock;
  readonly stats: MainStats;
  readonly log: Logger;
  /** A serialised `core.v3.Node`. */
  readonly node: Uint8Array;
  readonly open: (destination: AccessLogDestination, handlers: AdsStreamHandlers) => ReportStream;
}

interface OpenLog {
  readonly stream: AccessLogStream;
  /** Since the last look at who is idle. */
  wasUsed: boolean;
}

export class GrpcAccessLogs implements Disposable {
  readonly #parts: GrpcAccessLogsParts;
  /** By destination. */
  readonly #logs = new Map<string, OpenLog>();
  /** From the first batch on: without a gRPC access log there are no such stats. */
  #block: number | undefined;
  #idleTimer: Disposable | undefined;

  constructor(parts: GrpcAccessLogsParts) {
    this.#parts = parts;
  }

  add(batch: AccessLogBatch): void {
    const { destination, dropped, entries } = batch;
    this.#count("logs_dropped", dropped);
    if (entries.length === 0) return;
    const log = this.#logs.get(destination) ?? this.#open(destination);
    log.wasUsed = true;
    this.#count(log.stream.add(batch) ? "logs_written" : "logs_dropped", entries.length);
  }

  [Symbol.dispose](): void {
    this.#idleTimer?.[Symbol.dispose]();
    for (const { stream } of this.#logs.values()) stream[Symbol.dispose]();
    this.#logs.clear();
  }

  #open(text: string): OpenLog {
    const { open, node, log } = this.#parts;
    const destination = readDestination(text);
    const { logName, entryKind } = destination;
    const stream = new AccessLogStream({
      identity: { node, logName },
      open: (handlers) => open(destination, handlers),
      write: (entries, identity) => writeAccessLogs(entryKind, entries, identity),
      onSent: (entries) => this.#count("grpc_entries_flushed", entries),
      onLost: (entries) => this.#count("grpc_entries_flush_failed", entries),
      onFailed: (reason) => log.warning(`access log '${logName}': its stream closed: ${reason}`),
    });
    const opened = { stream, wasUsed: true };
    this.#logs.set(text, opened);
    this.#idleTimer ??= this.#startIdleTimer();
    return opened;
  }

  #startIdleTimer(): Disposable {
    return this.#parts.clock.startTimer(idleMsMax, () => {
      for (const [text, log] of this.#logs) {
        if (!log.wasUsed) {
          this.#logs.delete(text);
          log.stream[Symbol.dispose]();
        }
        log.wasUsed = false;
      }
      this.#idleTimer = this.#logs.size > 0 ? this.#startIdleTimer() : undefined;
    });
  }

  #count(name: Parameters<typeof logStats.offset>[0], amount: number): void {
    const { allocator, slab } = this.#parts.stats;
    this.#block ??= allocator.allocate(logStats, "access_logs.grpc_access_log.");
    slab.add(this.#block, logStats.offset(name), amount);
  }
}
