/** Puts the restarter together with the world: processes, time, signals, the service manager. */
import type { StdioOptions } from "node:child_process";
import { systemClock } from "../../shared/common/clock.ts";
import { descriptorsHandedOver } from "../../shared/common/handed-descriptors.ts";
import { systemRandom } from "../../shared/common/random.ts";
import type { ServiceManager } from "../../shared/common/service-manager.ts";
import {
  adminAddressPathOf,
  childCommand,
  completeCommand,
  tellsEpoch,
  validationOf,
  withEpoch,
} from "./child-command.ts";
import { ChildProcesses } from "./child-processes.ts";
import { type AdminPlace, adminProbe, answersFor, awaitProbe, startedAt } from "./readiness.ts";
import { Restarter, type RestarterWorld } from "./restarter.ts";
import { type RestarterOptions, parseRestarterOptions, usage } from "./restarter-options.ts";
import type { KeptSignal, SignalInbox } from "./signal-inbox.ts";
import type { SupervisorEvent } from "./supervisor-state.ts";
import { startValidation } from "./validation.ts";

type Level = "info" | "warning" | "error";

/** Ends with the exit code of the restarter. */
export async function runRestarter(args: readonly string[], signals: SignalInbox): Promise<number> {
  const options = parseRestarterOptions(args);
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  // Whoever read our log has gone: that ends nobody.
  process.stderr.on("error", () => {});
  const reapOrphans = await orphanReaping();
  const processes = new ChildProcesses(() => reapOrphans(processes));
  // SIGCHLD is Node's own, too: it reaps what it has started, and nothing else.
  process.on("SIGCHLD", () => reapOrphans(processes));
  const manager = await serviceManager();
  const { promise, resolve } = Promise.withResolvers<number>();
  const command = completeCommand(options.command);
  const validation = options.validates ? validationOf(command, options.validateCommand) : undefined;
  if (options.validates && validation === undefined)
    report("warning", "nothing tries a new configuration first: give --validate-command");
  const world: RestarterWorld = {
    clock: systemClock,
    random: systemRandom,
    report,
    notify: (phase, status) => manager?.notify(phase, status),
    end: resolve,
    ...childrenOf({ options, command, validation, processes }),
  };
  const restarter = new Restarter(options, validation !== undefined, world);
  restarter.take({ kind: "begun" });
  signals.deliverTo((signal) => restarter.take(eventOf(signal)));
  const code = await promise;
  manager?.[Symbol.dispose]();
  return code;
}

interface Parts {
  readonly options: RestarterOptions;
  readonly command: readonly string[];
  readonly validation: readonly string[] | undefined;
  readonly processes: ChildProcesses;
}

function childrenOf(parts: Parts): Pick<RestarterWorld, "start" | "validate" | "awaitReady"> {
  const { options, command, validation = [], processes } = parts;
  const descriptors = descriptorsHandedOver(process.env, process.pid);
  const stdio: StdioOptions = [
    "inherit",
    "inherit",
    "inherit",
    ...Array.from({ length: descriptors }, (_, index) => 3 + index),
  ];
  const admin = adminOf(options, command);
  return {
    start: (epoch, onExit) =>
      processes.start(childCommand(command, { epoch, descriptors }, process.env), stdio, onExit),
    validate: (epoch, onResult) =>
      startValidation(
        { clock: systemClock, processes, timeoutMs: options.validateTimeoutMs },
        childCommand(validation, { epoch, descriptors: 0 }, process.env),
        onResult,
      ),
    awaitReady: ({ epoch, startedMs }, onResult) => {
      if (admin === undefined)
        return systemClock.startTimer(options.settleMs, () => onResult(true));
      const place = { ...admin, text: withEpoch(admin.text, epoch) };
      const isOurs = tellsEpoch(command) ? answersFor(epoch) : startedAt(systemClock, startedMs);
      const probe = adminProbe(place, isOurs);
      return awaitProbe(systemClock, { probe, timeoutMs: options.startTimeoutMs }, onResult);
    },
  };
}

function adminOf(options: RestarterOptions, command: readonly string[]): AdminPlace | undefined {
  if (options.admin !== undefined) return { kind: "address", text: options.admin };
  const file = adminAddressPathOf(command);
  return file === undefined ? undefined : { kind: "file", text: file };
}

function eventOf(signal: KeptSignal): SupervisorEvent {
  switch (signal) {
    case "SIGHUP":
      return { kind: "reloadAsked" };
    case "SIGTERM":
    case "SIGINT":
      return { kind: "endAsked", signal };
    case "SIGUSR1":
    case "SIGUSR2":
      return { kind: "signalled", signal };
    default:
      return signal satisfies never;
  }
}

/** In Envoy's log format, for its lines stand between those of the children. */
function report(level: Level, text: string): void {
  const time = new Date().toISOString().replace("T", " ").slice(0, -1);
  process.stderr.write(`[${time}][${process.pid}][${level}][restarter] ${text}\n`);
}

/** Orphans fall to PID 1 alone, and to nobody where there are no such calls. */
async function orphanReaping(): Promise<(processes: ChildProcesses) => void> {
  if (process.pid !== 1 || process.platform !== "linux") return () => {};
  const { OrphanReaper } = await import("../../shared/io/orphan-reaper.ts");
  const reaper = new OrphanReaper();
  return (processes) => void reaper.reap((pid) => processes.isOwn(pid));
}

/** Undefined: nobody wants to be told anything. */
async function serviceManager(): Promise<ServiceManager | undefined> {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return undefined;
  const { openServiceManager } = await import("../../shared/io/notify-socket.ts");
  const { env, pid } = process;
  return openServiceManager({
    env,
    pid,
    clock: systemClock,
    onFailure: (why) => report("error", why),
  });
}
