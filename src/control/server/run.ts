/** From the command line to an exit code. Whatever refuses to start says so in one message, without a stack. */
import { systemClock } from "../../shared/common/clock.ts";
import { messageOf } from "../../shared/common/errors.ts";
import { systemRandom } from "../../shared/common/random.ts";
import { loadBootstrap } from "./bootstrap-loader.ts";
import { usableProcessors } from "./cpu-limit.ts";
import type { DataPlane } from "./data-plane.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { handleFatalErrors } from "./fatal.ts";
import { type ServerLog, openLog } from "./log-setup.ts";
import { type ServerOptions, parseOptions } from "./options.ts";
import { handleSignals } from "./signals.ts";
import { systemFiles } from "../secret/secret-files.ts";
import { crossChecks, crossWarnings, validate } from "./validate.ts";

/** `loadDataPlane` is called only where something is to be served. */
export async function run(
  args: readonly string[],
  loadDataPlane: () => Promise<DataPlane>,
): Promise<ExitCode> {
  const parsed = parseOptions(args, usableProcessors());
  if (parsed.kind === "exit") {
    (parsed.code === exitCodes.clean ? process.stdout : process.stderr).write(parsed.text);
    return parsed.code;
  }
  const { options } = parsed;
  let log: ServerLog;
  try {
    log = openLog(options, systemClock);
  } catch (error) {
    process.stderr.write(`error: cannot open --log-path: ${messageOf(error)}\n`);
    return exitCodes.refused;
  }
  using _log = log;
  if (options.ignoredFlags.length > 0)
    log.loggerOf("main").warning(`ignored flags: ${options.ignoredFlags.join(", ")}`);
  // Awaited here: the log is closed when this function is left.
  if (options.mode === "validate") return validateMode(options, log);
  return await serve(options, log, loadDataPlane);
}

function validateMode(options: ServerOptions, log: ServerLog): ExitCode {
  const errors = validate(options, log.loggerOf("config"));
  if (errors.length > 0) return refuse(options, log, errors);
  process.stdout.write(`configuration '${options.configPath}' OK\n`);
  return exitCodes.clean;
}

async function serve(
  options: ServerOptions,
  log: ServerLog,
  loadDataPlane: () => Promise<DataPlane>,
): Promise<ExitCode> {
  let exit: DataPlane["exit"] = (code) => process.exit(code);
  using fatal = handleFatalErrors(log.loggerOf("main"), (code) => exit(code));
  const result = loadBootstrap(options, log.loggerOf("config"));
  const errors = result.ok
    ? crossChecks(result.loaded.bootstrap, systemFiles(process.env))
    : result.errors;
  if (!result.ok || errors.length > 0) return refuse(options, log, errors);
  for (const warning of crossWarnings(result.loaded.bootstrap))
    log.loggerOf("config").warning(warning);
  // Not loaded to validate: half of the program.
  const { Server } = await import("./server.ts");
  const dataPlane = await loadDataPlane();
  exit = (code) => dataPlane.exit(code);
  const server = new Server({
    options,
    log,
    loaded: result.loaded,
    dataPlane,
    clock: systemClock,
    random: systemRandom,
    die: fatal.die,
  });
  using _signals = handleSignals({
    terminate: (signal) => server.terminate(signal),
    reopenLogs: () => server.reopenLogs(),
  });
  const end = await server.run();
  if (end.kind === "refused") return refuse(options, log, [end.error]);
  return end.kind === "workerLost" ? exitCodes.fatal : exitCodes.clean;
}

/** In Envoy's words; every reason at once, in one entry. */
function refuse(options: ServerOptions, log: ServerLog, errors: readonly string[]): ExitCode {
  log
    .loggerOf("main")
    .critical(`error initializing configuration '${options.configPath}': ${errors.join("\n")}`);
  return exitCodes.refused;
}
