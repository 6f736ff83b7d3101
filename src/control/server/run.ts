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
import { activatedSockets, serviceManager } from "./service-setup.ts";
import { handleSignals } from "./signals.ts";
import type { Handover } from "../hot-restart/handover/handover.ts";
import type { HotRestart } from "../hot-restart/hot-restart.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
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
  if (options.mode === "validate") return await validateMode(options, log);
  return await serve(options, log, loadDataPlane);
}

async function validateMode(options: ServerOptions, log: ServerLog): Promise<ExitCode> {
  const errors = await validate(options, log.loggerOf("config"));
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
  const result = await loadBootstrap(options, log.loggerOf("config"));
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
  const isHandedOver = options.hotRestart !== undefined || options.handover !== undefined;
  if (isHandedOver && dataPlane.listenSockets.adoptListenSocket === undefined)
    return refuse(options, log, [
      `hot restart needs sockets that can be handed over, which the ${dataPlane.reactor} reactor has not (see --disable-hot-restart and --handover-dir)`,
    ]);
  const hotRestart = await placeAmongGenerations(options, log, result.loaded.decoders.protos);
  if (typeof hotRestart === "string") return refuse(options, log, [hotRestart]);
  using _hotRestart = hotRestart;
  const handover = await placeAtDirectory(options, log);
  if (typeof handover === "string") return refuse(options, log, [handover]);
  using _handover = handover;
  const main = log.loggerOf("main");
  using service = await serviceManager(systemClock, main);
  const server = new Server({
    options,
    log,
    loaded: result.loaded,
    dataPlane,
    clock: systemClock,
    random: systemRandom,
    die: fatal.die,
    hotRestart,
    handover,
    activation: await activatedSockets(dataPlane.listenSockets, main),
    service,
  });
  using _signals = handleSignals({
    terminate: (signal) => server.terminate(signal),
    reopenLogs: () => server.reopenLogs(),
  });
  const end = await server.run();
  if (end.kind === "refused") return refuse(options, log, [end.error]);
  return end.kind === "workerLost" ? exitCodes.fatal : exitCodes.clean;
}

/** Undefined: it is the only one. A string: why it may not start. */
async function placeAmongGenerations(
  { hotRestart }: ServerOptions,
  log: ServerLog,
  protos: ProtoRegistry,
): Promise<HotRestart | string | undefined> {
  if (!hotRestart) return undefined;
  const { openHotRestart } = await import("./hot-restart-setup.ts");
  return openHotRestart({
    options: hotRestart,
    protos,
    clock: systemClock,
    random: systemRandom,
    log: log.loggerOf("hot_restart"),
    uid: process.getuid?.() ?? 0,
  });
}

/** Undefined: it has no directory. A string: why it may not start. */
async function placeAtDirectory(
  { handover }: ServerOptions,
  log: ServerLog,
): Promise<Handover | string | undefined> {
  if (!handover) return undefined;
  const { Handover: Place } = await import("../hot-restart/handover/handover.ts");
  return Place.open({
    options: handover,
    clock: systemClock,
    log: log.loggerOf("hot_restart"),
    uid: process.getuid?.() ?? 0,
  });
}

/** In Envoy's words; every reason at once, in one entry. */
function refuse(options: ServerOptions, log: ServerLog, errors: readonly string[]): ExitCode {
  log
    .loggerOf("main")
    .critical(`error initializing configuration '${options.configPath}': ${errors.join("\n")}`);
  return exitCodes.refused;
}
