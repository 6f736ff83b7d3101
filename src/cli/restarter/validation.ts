/** Tries the configuration of an epoch in a process that serves nobody. Its output goes where the restarter's does. */
import type { Clock } from "../../shared/common/clock.ts";
import type { ChildCommand } from "./child-command.ts";
import type { ChildProcesses } from "./child-processes.ts";
import type { ChildExit } from "./restarter.ts";

export interface ValidationParts {
  readonly clock: Clock;
  readonly processes: ChildProcesses;
  readonly timeoutMs: number;
}

/** Of the error output, for the message. */
const tailCharsMax = 1000;

/** Disposing it kills the process, and nothing is said any more. */
export function startValidation(
  { clock, processes, timeoutMs }: ValidationParts,
  command: ChildCommand,
  onResult: (refusal: string | undefined) => void,
): Disposable {
  let tail = "";
  let isOver = false;
  const over = (): boolean => {
    const wasOver = isOver;
    isOver = true;
    timer[Symbol.dispose]();
    return !wasOver;
  };
  const child = processes.start(command, ["ignore", "inherit", "pipe"], (exit) => {
    if (over()) onResult(exit.code === 0 ? undefined : refusalOf(exit, tail));
  });
  const timer = clock.startTimer(timeoutMs, () => {
    child.kill();
    if (over()) onResult(`its configuration is not judged after ${timeoutMs / 1000} s`);
  });
  child.process?.stderr?.setEncoding("utf8").on("data", (text: string) => {
    process.stderr.write(text);
    tail = (tail + text).slice(-tailCharsMax);
  });
  return {
    [Symbol.dispose]: () => {
      if (over()) child.kill();
    },
  };
}

function refusalOf({ code, cause }: ChildExit, tail: string): string {
  const how = code === undefined ? cause : `code ${code}`;
  const lines = tail.split("\n").filter((line) => line.trim() !== "");
  return `its configuration does not pass (${how}): ${lines.slice(-2).join(" | ")}`;
}
