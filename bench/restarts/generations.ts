/**
 * Sluice and Envoy: each process is started by hand, as a restarter would, with the next epoch or on the same directory.
 */
import path from "node:path";
import { cores, PinnedProcess } from "../measure/pinned-process.ts";
import { type Usage, usageOf } from "../measure/process-tree.ts";
import { lastTimes, type RestartingProxy } from "./restarting-proxy.ts";

export interface GenerationsOptions {
  readonly program: string;
  readonly config: string;
  readonly by: "epochs" | "directory";
  /** Nobody else's meanwhile. */
  readonly baseId: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What both programs print when they serve. */
export const servesText = "starting main dispatch loop";

export function generationArgs(
  { config, by, baseId }: Omit<GenerationsOptions, "program">,
  epoch: string,
): readonly string[] {
  const common = ["-c", config, "-l", "info", "--concurrency", "1"];
  const { drainS, endS } = lastTimes;
  const times = ["--drain-time-s", `${drainS}`, "--parent-shutdown-time-s", `${endS}`];
  if (by === "epochs")
    return [...common, ...times, "--restart-epoch", epoch, "--base-id", `${baseId}`];
  const dir = path.join(path.dirname(config), "handover");
  return [...common, ...times, "--handover-dir", dir, "--handover-drain-s", `${endS}`];
}

export class Generations implements RestartingProxy {
  readonly #options: GenerationsOptions;
  #processes: readonly PinnedProcess[] = [];
  #epoch = 0;

  private constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  static async start(options: GenerationsOptions): Promise<Generations> {
    await using owned = new AsyncDisposableStack();
    const generations = owned.use(new Generations(options));
    await generations.restart();
    owned.move();
    return generations;
  }

  async restart(): Promise<void> {
    const { program, environment = {} } = this.#options;
    const args = generationArgs(this.#options, `${this.#epoch++}`);
    const next = new PinnedProcess({ program, args, environment }, cores.proxy);
    this.#processes = [...this.#processes, next];
    await next.printed(servesText);
  }

  async alone(): Promise<void> {
    const newest = this.#processes.slice(-1);
    await Promise.all(this.#processes.slice(0, -1).map((each) => each.exited));
    this.#processes = newest;
  }

  get pid(): number {
    return this.#processes.at(-1)?.pid ?? 0;
  }

  get usage(): Usage {
    return usageOf(this.pid);
  }

  /** Of the one that serves. */
  get log(): string {
    return this.#processes.at(-1)?.log ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#processes) await each[Symbol.asyncDispose]();
  }
}
