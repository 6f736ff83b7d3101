/**
 * One child among those that may come one after another: known by its process id, which the kernel says with each message
 * (SCM_CREDENTIALS).
 */
import { readFileSync } from "node:fs";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";

export class ChildProcess implements SocketHolder {
  /** 0 where it is in a namespace of process ids that is not ours. */
  readonly pid: number;
  readonly #isBound: () => boolean;

  /** `isBound`: whether anybody has the name of a child. */
  constructor(pid: number, isBound: () => boolean) {
    this.pid = pid;
    this.#isBound = isBound;
  }

  get isThere(): boolean {
    return isAlive(this.pid) && this.#isBound();
  }

  /** Whoever has the name now, it is not this one. */
  get hasEnded(): boolean {
    return !isAlive(this.pid);
  }
}

/** One that has ended and was not asked for its exit code has nothing open any more (proc(5): state Z). */
function isAlive(pid: number): boolean {
  if (pid === 0) return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
