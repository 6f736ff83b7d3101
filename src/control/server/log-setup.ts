/** The log of the process: levels in shared memory, so that `/logging` reaches every thread at once. */
import {
  type LogComponent,
  type LogLevel,
  type LoggerOf,
  createLoggers,
  logComponents,
  logLevels,
} from "../../shared/common/log.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { LogLevelControl } from "../admin/logging-endpoint.ts";
import { compileLogFormat } from "./log-format.ts";
import { LogSink } from "./log-sink.ts";
import type { ServerOptions } from "./options.ts";

export interface ServerLog extends Disposable {
  readonly loggerOf: LoggerOf;
  readonly sink: LogSink;
  readonly levels: SharedArrayBuffer;
  readonly control: LogLevelControl;
}

/** Throws where `--log-path` cannot be opened. */
export function openLog(options: ServerOptions, clock: Clock): ServerLog {
  const format = compileLogFormat(options.logFormat, options.logFormatEscaped);
  const sink = new LogSink(format, options.logPath);
  const buffer = new SharedArrayBuffer(logComponents.length * Int32Array.BYTES_PER_ELEMENT);
  const levels = new Int32Array(buffer);
  const setLevel = (component: LogComponent, level: LogLevel): void => {
    levels[logComponents.indexOf(component)] = logLevels.indexOf(level);
  };
  for (const component of logComponents)
    setLevel(component, options.componentLogLevels.get(component) ?? options.logLevel);
  return {
    loggerOf: createLoggers(levels, "main", sink.write, () => clock.wallTime()),
    sink,
    levels: buffer,
    control: {
      level: (component) => logLevels[levels[logComponents.indexOf(component)] ?? 0] ?? "off",
      setLevel,
    },
    [Symbol.dispose]: () => sink[Symbol.dispose](),
  };
}
