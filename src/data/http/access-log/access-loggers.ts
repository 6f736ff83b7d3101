/**
 * Makes the access loggers of a worker. Entries that go to one place share one buffer, whichever listener or
 * connection manager they come from; it closes with its last user.
 */
import type {
  AccessLogConfig,
  AccessLogFormat,
  GrpcLogConfig,
  LineLogConfig,
} from "../../../shared/config/access-log-config.ts";
import type { AccessLogBatch, AccessLogType } from "../../../shared/protocol/access-log-entry.ts";
import { sluiceWorkerStats } from "../../../shared/stats/stat-names.ts";
import type { AccessLogger, CreateAccessLogger } from "../../network/access-logger.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import { entryBytes, makeEntry } from "./entry.ts";
import { EntryBudget, EntryBuffer } from "./entry-buffer.ts";
import { passesFilter } from "./filter.ts";
import { compileFormat, type Formatter } from "./format.ts";
import { LogSink, type SinkTarget } from "./log-sink.ts";
import { SharedSinks } from "./shared-sinks.ts";

const droppedOffset = sluiceWorkerStats.offset("access_log_dropped");

/** Everything that one worker logs to. */
export class AccessLogSinks implements Disposable {
  readonly #worker: WorkerContext;
  readonly #handOver: (batch: AccessLogBatch) => void;
  readonly #budget: EntryBudget;
  readonly #lines = new SharedSinks<LogSink>();
  readonly #entries = new SharedSinks<EntryBuffer>();

  /** `handOver` gives entries to main. */
  constructor(worker: WorkerContext, handOver: (batch: AccessLogBatch) => void) {
    this.#worker = worker;
    this.#handOver = handOver;
    this.#budget = new EntryBudget(worker.limits, worker.init.accessLogBytes);
  }

  /** One logger over all entries; dispose it when nothing logs to it any more. */
  readonly createLogger: CreateAccessLogger = (configs, type) => {
    const { runtime } = this.#worker;
    const entries = configs.map((config) => ({
      filter: config.filter,
      logger: this.#createOne(config, type),
    }));
    return {
      log: (info) => {
        for (const { filter, logger } of entries)
          if (filter === undefined || passesFilter(filter, info, runtime)) logger.log(info);
      },
      [Symbol.dispose]: () => {
        for (const { logger } of entries) logger[Symbol.dispose]();
      },
    };
  };

  /** Opens all files anew (SIGUSR1, `/reopen_logs`). */
  reopen(): void {
    for (const sink of this.#lines) sink.reopen();
  }

  flush(): void {
    for (const sink of this.#lines) sink.flush();
    for (const buffer of this.#entries) buffer.flush();
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
    this.#entries[Symbol.dispose]();
  }

  #createOne(config: AccessLogConfig, type: AccessLogType): AccessLogger & Disposable {
    if (config.kind === "line") {
      const key = sinkKey(config);
      const sink = this.#lines.acquire(key, () => this.#openSink(targetOf(config)));
      return new LineLogger(config.format, sink, () => this.#lines.release(key));
    }
    const key = `${config.destination} ${config.flushIntervalMs} ${config.flushMinBytes}`;
    const buffer = this.#entries.acquire(key, () => this.#openBuffer(config));
    return {
      log: (info) => {
        const entry = makeEntry(info, config, type);
        buffer.append(entry, entryBytes(entry));
      },
      [Symbol.dispose]: () => this.#entries.release(key),
    };
  }

  #openSink(target: SinkTarget): LogSink {
    const { init, slab, clock, loggerOf } = this.#worker;
    const logger = loggerOf("main");
    return new LogSink(target, {
      clock,
      flushIntervalMs: init.fileFlushIntervalMs,
      flushMinBytes: init.fileFlushMinBytes,
      onDropped: (lines) => slab.add(init.slots.sluice, droppedOffset, lines),
      onError: (message) => logger.warning(`access log: ${message}`),
    });
  }

  #openBuffer(config: GrpcLogConfig): EntryBuffer {
    const { clock } = this.#worker;
    return new EntryBuffer(config, { clock, budget: this.#budget, handOver: this.#handOver });
  }
}

/** One `access_log` entry of lines. */
class LineLogger implements AccessLogger, Disposable {
  readonly #format: Formatter;
  readonly #sink: LogSink;
  readonly #release: () => void;

  constructor(format: AccessLogFormat, sink: LogSink, release: () => void) {
    this.#format = compileFormat(format);
    this.#sink = sink;
    this.#release = release;
  }

  log(info: StreamInfo): void {
    this.#sink.append(this.#format(info));
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}

function sinkKey({ sink }: LineLogConfig): string {
  return sink.kind === "file" ? `file:${sink.path}` : sink.kind;
}

function targetOf({ sink }: LineLogConfig): SinkTarget {
  if (sink.kind === "file") return sink;
  return { kind: "descriptor", descriptor: sink.kind === "stdout" ? 1 : 2 };
}
