/**
 * The command line as the server wants it: defaults filled in, enumerations checked, units in the
 * names. Pure: reads no file and no environment.
 */
import {
  type LogComponent,
  type LogLevel,
  logComponents,
  logLevels,
} from "../../shared/common/log.ts";
import type { DrainStrategy } from "../../shared/drain/drain.ts";
import type { HandoverOptions } from "../hot-restart/handover/directory.ts";
import { type HotRestartOptions, socketPathDefault } from "../hot-restart/hot-restart-options.ts";
import { hotRestartVersionText } from "../hot-restart/version.ts";
import { type FlagValues, parseFlags } from "./flag-parser.ts";
import { flagTable } from "./flag-table.ts";
import { versionText } from "./version.ts";

export type ServerMode = "serve" | "validate" | "init_only";

export interface ServerOptions {
  readonly configPath: string;
  readonly configYaml: string;
  readonly mode: ServerMode;
  /** 1 … 256. */
  readonly concurrency: number;
  /** Undefined: no generation before or after this process. */
  readonly hotRestart: HotRestartOptions | undefined;
  /** Undefined: nobody takes over by a directory. */
  readonly handover: HandoverOptions | undefined;
  /** Idle connections go on in a process that takes over. */
  readonly movesConnections: boolean;
  readonly drainTimeMs: number;
  readonly httpFilterFiles: readonly string[];
  readonly drainStrategy: DrainStrategy;
  /** Of SIGTERM; 0: ends at once. */
  readonly shutdownDrainMs: number;
  readonly parentShutdownTimeMs: number;
  readonly serviceNode: string;
  readonly serviceCluster: string;
  readonly serviceZone: string;
  readonly logLevel: LogLevel;
  readonly componentLogLevels: ReadonlyMap<LogComponent, LogLevel>;
  /** As given, for `/server_info`. */
  readonly componentLogLevel: string;
  readonly logFormat: string;
  readonly logFormatEscaped: boolean;
  readonly logPath: string;
  readonly adminAddressPath: string;
  readonly adminAllowedHosts: readonly string[];
  /** Of the gRPC services: `host:port` or `unix:path`; empty: not served. */
  readonly adminGrpcAddress: string;
  readonly localAddressIpVersion: "v4" | "v6";
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinBytes: number;
  readonly allowUnknownStaticFields: boolean;
  readonly rejectUnknownDynamicFields: boolean;
  readonly ignoreUnknownDynamicFields: boolean;
  /** Flags that were given and have no effect: `--base-id (hot restart is not built)`. */
  readonly ignoredFlags: readonly string[];
}

export type ParsedOptions =
  | { readonly kind: "run"; readonly options: ServerOptions }
  /** Nothing to run: help, version, or a usage error. */
  | { readonly kind: "exit"; readonly code: 0 | 1; readonly text: string };

/** spdlog's; without Envoy's `[%g:%#]`, since a log record here has no source line. */
export const logFormatDefault = "[%Y-%m-%d %T.%e][%t][%l][%n] %v";
/** Room in the shared limits: `limitLayout.workersMax`. */
const concurrencyMax = 256;

/** `coreCount`: what `--concurrency` is without the flag. */
export function parseOptions(args: readonly string[], coreCount: number): ParsedOptions {
  const flags = parseFlags(args);
  if (!flags.ok) return usageError(flags.error);
  const { values } = flags;
  if (values.has("help")) return exit(0, helpText());
  if (values.has("version")) return exit(0, `sluice  version: ${versionText()}\n`);
  if (values.has("hot-restart-version")) return exit(0, `${hotRestartVersionText}\n`);
  try {
    return { kind: "run", options: optionsOf(values, coreCount) };
  } catch (error) {
    if (error instanceof UsageError) return usageError(error.message);
    throw error;
  }
}

class UsageError extends Error {}

function optionsOf(values: FlagValues, coreCount: number): ServerOptions {
  const text = (name: string): string => values.get(name)?.[0] ?? "";
  const number = (name: string, byDefault: number): number =>
    values.has(name) ? Number(text(name)) : byDefault;
  const isSet = (name: string): boolean => values.has(name);
  return {
    configPath: text("config-path"),
    configYaml: text("config-yaml"),
    mode: oneOf(values, "mode", ["serve", "validate", "init_only"]),
    concurrency: Math.min(Math.max(1, number("concurrency", coreCount)), concurrencyMax),
    hotRestart: hotRestartOptionsOf(values),
    handover: handoverOptionsOf(values),
    movesConnections: !isSet("keep-connections"),
    drainTimeMs: number("drain-time-s", 600) * 1000,
    httpFilterFiles: values.get("http-filter") ?? [],
    drainStrategy: oneOf(values, "drain-strategy", ["gradual", "immediate"]),
    // Docker kills after 10 s, Kubernetes after 30: what follows the drain has its time too.
    shutdownDrainMs: number("shutdown-drain-s", 8) * 1000,
    parentShutdownTimeMs: number("parent-shutdown-time-s", 900) * 1000,
    serviceNode: text("service-node"),
    serviceCluster: text("service-cluster"),
    serviceZone: text("service-zone"),
    logLevel: isSet("log-level") ? levelOf(text("log-level")) : "info",
    componentLogLevels: componentLevels(text("component-log-level")),
    componentLogLevel: text("component-log-level"),
    logFormat: isSet("log-format") ? text("log-format") : logFormatDefault,
    logFormatEscaped: isSet("log-format-escaped"),
    logPath: text("log-path"),
    adminAddressPath: text("admin-address-path"),
    adminAllowedHosts: values.get("admin-allowed-host") ?? [],
    adminGrpcAddress: text("admin-grpc-address"),
    localAddressIpVersion: oneOf(values, "local-address-ip-version", ["v4", "v6"]),
    fileFlushIntervalMs: number("file-flush-interval-msec", 10_000),
    fileFlushMinBytes: number("file-flush-min-size-kb", 64) * 1024,
    allowUnknownStaticFields: isSet("allow-unknown-static-fields") || isSet("allow-unknown-fields"),
    rejectUnknownDynamicFields: isSet("reject-unknown-dynamic-fields"),
    ignoreUnknownDynamicFields: isSet("ignore-unknown-dynamic-fields"),
    ignoredFlags: flagTable
      .filter((flag) => flag.ignoredBecause !== undefined && isSet(flag.name))
      .map((flag) => `--${flag.name} (${flag.ignoredBecause})`),
  };
}

const hotRestartFlags = [
  "restart-epoch",
  "base-id",
  "use-dynamic-base-id",
  "base-id-path",
  "socket-path",
  "socket-mode",
  "skip-hot-restart-on-no-parent",
  "skip-hot-restart-parent-stats",
];

/**
 * Unlike Envoy's it is off until one of its flags is given: two proxies on one machine that never heard of it would refuse
 * to start for their common base id.
 */
function hotRestartOptionsOf(values: FlagValues): HotRestartOptions | undefined {
  const isOff = values.has("disable-hot-restart") || values.get("mode")?.[0] === "validate";
  if (isOff || !hotRestartFlags.some((flag) => values.has(flag))) return undefined;
  const text = (name: string): string | undefined => values.get(name)?.[0];
  const epoch = Number(text("restart-epoch") ?? 0);
  const isDynamic = values.has("use-dynamic-base-id");
  if (isDynamic && epoch > 0)
    throw new UsageError("cannot use --restart-epoch with --use-dynamic-base-id");
  const mode = text("socket-mode") ?? "600";
  if (!/^[0-7]{1,4}$/.test(mode)) throw new UsageError(`invalid socket-mode '${mode}'`);
  return {
    epoch,
    baseId: isDynamic ? "dynamic" : Number(text("base-id") ?? 0),
    baseIdPath: text("base-id-path") ?? "",
    socketPath: text("socket-path") ?? socketPathDefault,
    socketMode: Number.parseInt(mode, 8),
    skipsOnNoParent: values.has("skip-hot-restart-on-no-parent"),
    skipsParentStats: values.has("skip-hot-restart-parent-stats"),
    parentShutdownMs: Number(text("parent-shutdown-time-s") ?? 900) * 1000,
  };
}

/** Two ways to find one's predecessor would be two predecessors. */
function handoverOptionsOf(values: FlagValues): HandoverOptions | undefined {
  const dir = values.get("handover-dir")?.[0] ?? "";
  if (dir === "" || values.get("mode")?.[0] === "validate") return undefined;
  const other = hotRestartFlags.find((flag) => values.has(flag));
  if (other !== undefined) throw new UsageError(`cannot use --handover-dir with --${other}`);
  return { dir, drainMs: Number(values.get("handover-drain-s")?.[0] ?? 30) * 1000 };
}

/** The flag's value, which must be one of `known`; the first is the default. */
function oneOf<const T extends string>(
  values: FlagValues,
  name: string,
  known: readonly [T, ...T[]],
): T {
  const value = values.get(name)?.[0];
  if (value === undefined) return known[0];
  const found = known.find((candidate) => candidate === value);
  if (!found) throw new UsageError(`unknown ${name} '${value}', known: ${known.join(", ")}`);
  return found;
}

/** `warn` is spdlog's word for `warning`; Envoy takes both. */
function levelOf(name: string): LogLevel {
  const level = name === "warn" ? "warning" : logLevels.find((known) => known === name);
  if (!level) throw new UsageError(`invalid log level specified '${name}'`);
  return level;
}

function componentLevels(text: string): ReadonlyMap<LogComponent, LogLevel> {
  const levels = new Map<LogComponent, LogLevel>();
  for (const part of text === "" ? [] : text.split(",")) {
    const [name, level, ...rest] = part.split(":");
    if (name === undefined || level === undefined || rest.length > 0)
      throw new UsageError(
        `component log level not correctly specified '${part}', want component:level`,
      );
    const component = logComponents.find((known) => known === name);
    if (!component)
      throw new UsageError(
        `invalid component specified '${name}', known: ${logComponents.join(", ")}`,
      );
    levels.set(component, levelOf(level));
  }
  return levels;
}

function usageError(error: string): ParsedOptions {
  return exit(1, `error: ${error}\nFor the flags type: sluice --help\n`);
}

function exit(code: 0 | 1, text: string): ParsedOptions {
  return { kind: "exit", code, text };
}

function helpText(): string {
  const lines = flagTable.map(({ short, name, kind, help, ignoredBecause }) => {
    const value = { string: " <text>", number: " <number>", list: " <text> ...", switch: "" }[kind];
    const names = `${short ? `-${short}, ` : ""}--${name}${value}`;
    const note = ignoredBecause ? ` (ignored: ${ignoredBecause})` : "";
    return `  ${names}\n      ${help}${note}`;
  });
  return `usage: sluice -c <bootstrap> [flags]\n\n${lines.join("\n")}\n`;
}
