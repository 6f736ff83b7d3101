/**
 * The socket file of a new process that is killed: it outlives the socket, and whoever it had dialled removes it. That file
 * alone, and only when the process has ended: another one may be starting in the directory by then.
 */
import { rmSync, statSync } from "node:fs";
import type { Clock } from "../../../shared/common/clock.ts";
import { ChildProcess } from "../child-process.ts";

const retryMs = 20;
/** A process that dies closes its sockets before it is gone. One that lives on removes its file itself. */
const triesMax = 50;

export class Leftover {
  readonly #path: string;
  readonly #process: ChildProcess;
  readonly #file: string | undefined;

  /** Of process `pid`, which has its socket there now. */
  constructor(path: string, pid: number) {
    this.#path = path;
    this.#process = new ChildProcess(pid, () => true);
    this.#file = fileAt(path);
  }

  async remove(clock: Clock): Promise<void> {
    for (let i = 0; i < triesMax; i++) {
      if (this.#file === undefined || fileAt(this.#path) !== this.#file) return;
      if (this.#process.hasEnded) return rmSync(this.#path, { force: true });
      await new Promise<void>((resolve) => void clock.startTimer(retryMs, resolve));
    }
  }
}

/** An inode's number is soon another file's. */
function fileAt(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.ctimeNs}`;
}
