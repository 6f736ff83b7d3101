/**
 * Pipes for `splice`. One is held only while bytes are under way in it, so idle relays hold no
 * descriptors; empty ones are kept for the next. A pipe that is given back with bytes in it is closed.
 */
import { close, fcntl, linux } from "./syscalls.ts";
import type { SystemArea } from "./system-area.ts";

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** Bytes a pipe takes before the source is no longer read: the relay's buffer a direction (measured: more gains nothing). */
export const pipeBytes = 256 * 1024;
/** Empty pipes kept: more than are ever in use within one round would be of no use. */
const spareMax = 64;

export class PipePool {
  readonly #area: SystemArea;
  readonly #spare: Pipe[] = [];

  constructor(area: SystemArea) {
    this.#area = area;
  }

  /** An empty pipe; undefined with errno where descriptors ran out. */
  acquire(): Pipe | undefined {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const pipe = this.#area.openPipe();
    // Refused beyond the user's pipe quota (pipe(7)): the size that it has serves too.
    if (pipe !== undefined) fcntl(pipe.writeEnd, linux.F_SETPIPE_SZ, pipeBytes);
    return pipe;
  }

  release(pipe: Pipe, isEmpty: boolean): void {
    if (isEmpty && this.#spare.length < spareMax) this.#spare.push(pipe);
    else closePipe(pipe);
  }

  [Symbol.dispose](): void {
    for (const pipe of this.#spare) closePipe(pipe);
    this.#spare.length = 0;
  }
}

function closePipe(pipe: Pipe): void {
  close(pipe.readEnd);
  close(pipe.writeEnd);
}
