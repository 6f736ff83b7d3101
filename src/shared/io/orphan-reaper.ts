/**
 * What PID 1 owes: it reaps the processes that nobody else can (waitid(2)). libuv waits for each of its own children by
 * pid, and one that was taken from it would never be seen to end. So a zombie is looked at before it is taken
 * (WNOWAIT), and one of Node's own is left there. It hides the others until Node has taken it: reap again then.
 */
import { assert } from "../common/assert.ts";
import { linux, mapMemory, waitid } from "./syscalls.ts";

/** siginfo_t; `si_pid` is its fifth int on every 64-bit Linux. */
const infoBytes = 128;
const pidWord = 4;
/** Zombies that one call takes; the next SIGCHLD takes the rest. */
const batchMax = 1024;

export class OrphanReaper {
  readonly #address: number;
  readonly #words: Int32Array;

  constructor() {
    const mapping = mapMemory(infoBytes);
    assert(mapping, "no memory for waitid");
    this.#address = mapping.address;
    this.#words = new Int32Array(mapping.buffer);
  }

  /** How many were taken. */
  reap(isNodesOwn: (pid: number) => boolean): number {
    for (let taken = 0; taken < batchMax; taken += 1) {
      const pid = this.#wait(linux.P_ALL, 0, linux.WNOWAIT);
      if (pid <= 0 || isNodesOwn(pid)) return taken;
      this.#wait(linux.P_PID, pid, 0);
    }
    return batchMax;
  }

  /** The pid of a zombie; 0: none; below: no children at all. */
  #wait(type: number, id: number, flags: number): number {
    this.#words[pidWord] = 0;
    const options = linux.WEXITED | linux.WNOHANG | flags;
    const result = waitid(type, id, this.#address, options);
    return result === 0 ? (this.#words[pidWord] ?? 0) : result;
  }
}
