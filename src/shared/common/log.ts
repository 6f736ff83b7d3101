/**
 * Envoy's log: levels, component names and line format. A `Logger` is passed in like a clock; the
 * sink behind it belongs to `control/server`, and on a worker it posts lines to main.
 */
export const logLevels = ["trace", "debug", "info", "warning", "error", "critical", "off"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Envoy's logger names that Sluice uses, as `--component-log-level` and `/logging` take them. */
export const logComponents = [
  "admin",
  "client",
  "config",
  "connection",
  "conn_handler",
  "dns",
  "filter",
  "health_checker",
  "hot_restart",
  "http",
  "init",
  "main",
  "pool",
  "router",
  "runtime",
  "stats",
  "upstream",
] as const;
export type LogComponent = (typeof logComponents)[number];

export interface LogRecord {
  readonly level: Exclude<LogLevel, "off">;
  readonly component: LogComponent;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** `main`, or the worker's number. */
  readonly thread: string;
}

export interface Logger {
  /** Lets a caller skip building an expensive message. */
  isEnabled(level: LogRecord["level"]): boolean;
  trace(message: string): void;
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  critical(message: string): void;
}

/** The shared levels, changed at run time by `/logging`; indexes into `logLevels` per component. */
export type LogLevels = Int32Array;

/** Gives the logger of one component. */
export type LoggerOf = (component: LogComponent) => Logger;

/**
 * Loggers over one sink. `levels` may lie in shared memory, so that every thread follows `/logging`.
 */
export function createLoggers(
  levels: LogLevels,
  thread: string,
  sink: (record: LogRecord) => void,
  wallTime: () => number,
): LoggerOf {
  const loggers = new Map(
    logComponents.map((component, index) => {
      const isEnabled = (level: LogRecord["level"]): boolean =>
        logLevels.indexOf(level) >= (levels[index] ?? 0);
      const at = (level: LogRecord["level"]) => (message: string) => {
        if (isEnabled(level)) sink({ level, component, message, timeMs: wallTime(), thread });
      };
      const logger: Logger = {
        isEnabled,
        trace: at("trace"),
        debug: at("debug"),
        info: at("info"),
        warning: at("warning"),
        error: at("error"),
        critical: at("critical"),
      };
      return [component, logger] as const;
    }),
  );
  return (component) => loggers.get(component) as Logger;
}
