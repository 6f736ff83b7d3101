/**
 * Makes the access loggers of a worker. Entries that name one file share one buffer, whichever
 * listener or connection manager they come from; the sink closes with its last user.
 */
import type { AccessLogConfig } from "../../../shared/config/access-log-config.ts";
import { sluiceWorkerStats } from "../../../shared/stats/stat-names.ts";
import type { AccessLogger, CreateAccessLogger } from "../../network/access-logger.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { Runtime } from "../../upstream/worker-runtime.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import { passesFilter } from "./filter.ts";
import { compileFormat, type Formatter } from "./format.ts";
import { LogSink, type SinkTarget } from "./log-sink.ts";

const droppedOffset = sluiceWorkerStats.offset("access_log_dropped");

/** All sinks of one worker, by path. */
export class AccessLogSinks implements Disposable {
  readonly #worker: WorkerContext;
  readonly #sinks = new Map<string, { readonly sink: LogSink; users: number }>();

  constructor(worker: WorkerContext) {
    this.#worker = worker;
  }

  /** One logger over all entries; dispose it when nothing logs to it any more. */
  readonly createLogger: CreateAccessLogger = (configs) => {
    const entries = configs.map(
      (config) => new LogEntry(config, this.#acquire(config), this.#worker.runtime),
    );
    return {
      log: (info) => {
        for (const entry of entries) entry.log(info);
      },
      [Symbol.dispose]: () => {
        for (const config of configs) this.#release(config);
      },
    };
  };

  /** Opens all files anew (SIGUSR1, `/reopen_logs`). */
  reopen(): void {
    for (const { sink } of this.#sinks.values()) sink.reopen();
  }

  flush(): void {
    for (const { sink } of this.#sinks.values()) sink.flush();
  }

  [Symbol.dispose](): void {
    for (const { sink } of this.#sinks.values()) sink[Symbol.dispose]();
    this.#sinks.clear();
  }

  #acquire(config: AccessLogConfig): LogSink {
    const key = sinkKey(config);
    let shared = this.#sinks.get(key);
    if (shared === undefined) {
      shared = { sink: this.#open(targetOf(config)), users: 0 };
      this.#sinks.set(key, shared);
    }
    shared.users++;
    return shared.sink;
  }

  #release(config: AccessLogConfig): void {
    const key = sinkKey(config);
    const shared = this.#sinks.get(key);
    if (shared === undefined || --shared.users > 0) return;
    this.#sinks.delete(key);
    shared.sink[Symbol.dispose]();
  }

  #open(target: SinkTarget): LogSink {
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
}

/** One `access_log` entry. */
class LogEntry implements AccessLogger {
  readonly #filter: AccessLogConfig["filter"];
  readonly #format: Formatter;
  readonly #sink: LogSink;
  readonly #runtime: Runtime;

  constructor(config: AccessLogConfig, sink: LogSink, runtime: Runtime) {
    this.#filter = config.filter;
    this.#format = compileFormat(config.format);
    this.#sink = sink;
    this.#runtime = runtime;
  }

  log(info: StreamInfo): void {
    if (this.#filter === undefined || passesFilter(this.#filter, info, this.#runtime)) {
      this.#sink.append(this.#format(info));
    }
  }
}

function sinkKey({ sink }: AccessLogConfig): string {
  return sink.kind === "file" ? `file:${sink.path}` : sink.kind;
}

function targetOf({ sink }: AccessLogConfig): SinkTarget {
  if (sink.kind === "file") return sink;
  return { kind: "descriptor", descriptor: sink.kind === "stdout" ? 1 : 2 };
}
