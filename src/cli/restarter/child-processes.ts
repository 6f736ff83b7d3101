/**
 * Processes of COMMAND. Each leads a session of its own: what a terminal says (Ctrl-C) reaches the restarter alone, which
 * then ends them in order, and a kill reaches all that one has started.
 *
 * Only these are Node's to reap; `isOwn` tells them from orphans.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { messageOf } from "../../shared/common/errors.ts";
import type { ChildCommand } from "./child-command.ts";
import type { Child, ChildExit } from "./restarter.ts";

export class ChildProcesses {
  readonly #own = new Set<number>();
  readonly #onReaped: () => void;

  /** `onReaped`: one of ours has been reaped, and no longer hides orphans behind it. */
  constructor(onReaped: () => void) {
    this.#onReaped = onReaped;
  }

  isOwn(pid: number): boolean {
    return this.#own.has(pid);
  }

  /** `onExit` comes once, later than this returns. */
  start(
    { program, args, env }: ChildCommand,
    stdio: StdioOptions,
    onExit: (exit: ChildExit) => void,
  ): Child & { readonly process: ChildProcess | undefined } {
    let isOver = false;
    const over = (exit: ChildExit): void => {
      if (isOver) return;
      isOver = true;
      onExit(exit);
    };
    const failed = (thrown: unknown): void =>
      over({ code: undefined, cause: `it cannot be started: ${messageOf(thrown)}` });
    let process: ChildProcess;
    try {
      process = spawn(program, args, { env, stdio, detached: true });
    } catch (thrown) {
      // Node throws what it does not expect to be temporary, an argument list too long for instance.
      queueMicrotask(() => failed(thrown));
      return { pid: undefined, process: undefined, signal: () => {}, kill: () => {} };
    }
    const { pid } = process;
    if (pid !== undefined) this.#own.add(pid);
    process.on("error", (error) => {
      // Later ones are of signals that found nobody.
      if (pid === undefined) failed(error);
    });
    process.on("exit", (code, signal) => {
      if (pid !== undefined) this.#gone(pid);
      over({ code: code ?? undefined, cause: signal ?? "" });
    });
    return {
      pid,
      process,
      signal: (name) => void process.kill(name),
      kill: () => signalGroup(pid, "SIGKILL"),
    };
  }

  #gone(pid: number): void {
    this.#own.delete(pid);
    // A script that did not `exec` leaves the program behind, which nobody would ever end.
    signalGroup(pid, "SIGTERM");
    this.#onReaped();
  }
}

function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (leader !== undefined) process.kill(-leader, signal);
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}
