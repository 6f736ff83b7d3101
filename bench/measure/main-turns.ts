/** The other side of `turn-probe.ts`: starts it in a proxy, and reads what it wrote. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

export const turnsFileVariable = "SLUICE_BENCH_TURNS";

export interface TurnsOf {
  readonly thread: "main" | "worker";
  /** Absent: of whichever process. */
  readonly pid?: number;
}

export class MainTurns {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = path.join(folder, "turns");
  }

  /** What the proxy's environment needs. */
  get environment(): Readonly<Record<string, string>> {
    const probe = pathToFileURL(path.join(import.meta.dirname, "turn-probe.ts")).href;
    return { NODE_OPTIONS: `--import ${probe}`, [turnsFileVariable]: this.#file };
  }

  /** CPU milliseconds of the longest turn that ended since then; 0 if none was long. */
  longestMs(sinceMs: number, { thread, pid }: TurnsOf = { thread: "main" }): number {
    if (!existsSync(this.#file)) return 0;
    const turns = readFileSync(this.#file, "utf8").trim().split("\n");
    const since = turns
      .map((line) => line.split(" "))
      .filter(([at, , ofThread]) => Number(at) >= sinceMs && ofThread === thread)
      .filter(([, , , ofPid]) => pid === undefined || Number(ofPid) === pid);
    return Math.max(0, ...since.map(([, us]) => Number(us))) / 1e3;
  }
}
