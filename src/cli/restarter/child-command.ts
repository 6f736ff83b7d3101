/**
 * What is run for an epoch: COMMAND with its placeholders filled in, and the environment it gets. Pure.
 *
 * Two words of the environment are addressed to the process that reads them: NOTIFY_SOCKET to the main process of a
 * service, which the restarter is, and LISTEN_PID to whoever may take the descriptors (sd_listen_fds(3)), which a child is.
 */
import path from "node:path";

export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** `{epoch}` is the epoch, `{{epoch}}` is `{epoch}` itself. */
export function withEpoch(word: string, epoch: number): string {
  return word.replaceAll(/\{\{epoch\}\}|\{epoch\}/g, (found) =>
    found === "{epoch}" ? String(epoch) : "{epoch}",
  );
}

/** Envoy's command line is known: how to validate, and how to tell the epoch. */
function hasEnvoyFlags([program = ""]: readonly string[]): boolean {
  return /^(envoy|sluice)$/.test(path.basename(program));
}

/** COMMAND as it is to be run: Envoy and Sluice are told their epoch, unless the command does so or wants no hot restart. */
export function completeCommand(command: readonly string[]): readonly string[] {
  const says = ["--restart-epoch", "--disable-hot-restart", "--handover-dir"];
  const isTold = command.some((word) => says.some((flag) => isFlag(word, flag)));
  return hasEnvoyFlags(command) && !isTold ? [...command, "--restart-epoch", "{epoch}"] : command;
}

/** Whether the processes of COMMAND know which epoch they are. */
export function tellsEpoch(command: readonly string[]): boolean {
  return hasEnvoyFlags(command) && command.some((word) => isFlag(word, "--restart-epoch"));
}

/** What tries the configuration of the next epoch; undefined: nothing is known that could. */
export function validationOf(
  command: readonly string[],
  wanted: string | undefined,
): readonly string[] | undefined {
  if (wanted !== undefined) return ["/bin/sh", "-c", wanted];
  if (!hasEnvoyFlags(command) || command.some((word) => isFlag(word, "--mode"))) return undefined;
  return [...command, "--mode", "validate"];
}

/** Where Envoy or Sluice writes its admin's address, if it was told to. */
export function adminAddressPathOf(command: readonly string[]): string | undefined {
  const at = command.findIndex((word) => isFlag(word, "--admin-address-path"));
  if (at < 0 || !hasEnvoyFlags(command)) return undefined;
  return command[at]?.split("=")[1] ?? command[at + 1];
}

/** `descriptors`: how many were handed to the restarter, from 3 on, and are to be handed on. */
export function childCommand(
  command: readonly string[],
  { epoch, descriptors }: { readonly epoch: number; readonly descriptors: number },
  inherited: NodeJS.ProcessEnv,
): ChildCommand {
  const words = command.map((word) => withEpoch(word, epoch));
  const env: NodeJS.ProcessEnv = { ...inherited, RESTART_EPOCH: String(epoch) };
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID"])
    delete env[name];
  if (descriptors > 0) {
    env["LISTEN_FDS"] = String(descriptors);
    // Only the child itself can know its pid before it runs the program.
    const script = 'export LISTEN_PID=$$; exec "$@"';
    return { program: "/bin/sh", args: ["-c", script, "sluice-restarter", ...words], env };
  }
  delete env["LISTEN_FDS"];
  delete env["LISTEN_FDNAMES"];
  const [program = "", ...args] = words;
  return { program, args, env };
}

function isFlag(word: string, flag: string): boolean {
  return word === flag || word.startsWith(`${flag}=`);
}
