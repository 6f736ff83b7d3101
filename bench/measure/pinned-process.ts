import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type Usage, usageOf } from "./process-tree.ts";

/**
 * A process on one core. The proxy under test has core 0 to itself; load and backend share core 1,
 * so that neither takes from what is measured.
 */
export const cores = { proxy: 0, load: 1 } as const;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Beside what the benchmark itself was given. */
  readonly environment?: Readonly<Record<string, string>>;
}

const logBytesMax = 4_000;
const stopTimeMs = 5_000;

export class PinnedProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #awaited = new Set<{ readonly text: string; rest: string; resolve(): void }>();
  readonly exited: Promise<void>;
  #log = "";
  #hasEnded = false;

  constructor({ program, args, environment }: Command, core: number) {
    // taskset becomes the program (exec), so the pid is the program's own.
    this.#process = spawn("taskset", ["-c", String(core), program, ...args], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-logBytesMax);
        this.#look(chunk.toString());
      });
    this.exited = once(this.#process, "exit").then(() => void (this.#hasEnded = true));
    this.exited.catch(() => {});
    this.#process.on("error", (error) => (this.#log += error.message));
  }

  /** 0 if it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Throws if the process has ended, with what it printed last. */
  get usage(): Usage {
    this.assertAlive();
    return usageOf(this.pid);
  }

  assertAlive(): void {
    if (this.#hasEnded || this.#process.pid === undefined) {
      throw new Error(`${this.#process.spawnargs.join(" ")} has ended:\n${this.#log}`);
    }
  }

  get log(): string {
    return this.#log;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Resolves when it has printed the text, from now on. Throws if it ends before. */
  async printed(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = { text, rest: "", resolve };
    this.#awaited.add(awaited);
    const ended = this.exited.then(() => this.assertAlive());
    await Promise.race([promise, ended]);
    this.#awaited.delete(awaited);
  }

  #look(chunk: string): void {
    for (const each of this.#awaited) {
      const seen = each.rest + chunk;
      if (seen.includes(each.text)) each.resolve();
      each.rest = seen.slice(-each.text.length);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded || this.#process.pid === undefined) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const tooLong = setTimeout(() => this.#process.kill("SIGKILL"), stopTimeMs);
    await exited;
    clearTimeout(tooLong);
  }
}

/** Puts the benchmark itself, and what it starts from now on, beside the load. */
export function leaveCoreToProxy(): void {
  spawnSync("taskset", ["-acp", String(cores.load), String(process.pid)]);
}

/** Runs a load generator to its end on the load core and gives its standard output. */
export async function runLoad({ program, args }: Command): Promise<string> {
  const child = spawn("taskset", ["-c", String(cores.load), program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let complaint = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0)
    throw new Error(`${program} ended with ${code}: ${complaint.slice(-logBytesMax)}`);
  return out;
}
