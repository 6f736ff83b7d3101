/** The proxy as a process of its own, as in production: started, watched, ended by signal. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { AdminClient } from "./admin-client.ts";
import { delay } from "./traffic.ts";

export interface ProxyOptions {
  /** The program: `bin/sluice`, or anything with Envoy's command line. */
  readonly program: string;
  readonly bootstrapFile: string;
  /** For its log and the address of its admin. */
  readonly workFolder: string;
  readonly drainTimeS: number;
}

const startMsMax = 60_000;

export class ProxyProcess implements AsyncDisposable {
  readonly admin: AdminClient;
  readonly logFile: string;
  readonly #child: ChildProcess;

  /** Waits for the admin to answer; `/ready` may still say no. Rejects with the end of the log. */
  static async start(options: ProxyOptions): Promise<ProxyProcess> {
    const { workFolder } = options;
    const logFile = path.join(workFolder, "proxy.log");
    const addressFile = path.join(workFolder, "admin-address");
    const log = openSync(logFile, "w");
    const flags = `--drain-time-s ${options.drainTimeS} --concurrency 1 --disable-hot-restart`;
    const files = ["-c", options.bootstrapFile, "--admin-address-path", addressFile];
    // A group of its own: Ctrl-C at the terminal must reach the story first, which then ends the
    // traffic before the proxy.
    const child = spawn(options.program, [...files, ...flags.split(" ")], {
      stdio: ["ignore", log, log],
      detached: true,
    });
    process.once("exit", () => child.kill("SIGKILL"));
    closeSync(log);
    child.on("error", () => {});
    const deadline = performance.now() + startMsMax;
    while (!existsSync(addressFile) || readFileSync(addressFile, "utf8") === "") {
      const isOver = child.exitCode !== null || child.pid === undefined;
      if (isOver || performance.now() > deadline)
        throw new Error(`${options.program} did not start:\n${endOf(logFile)}`);
      await delay(20);
    }
    return new ProxyProcess(child, logFile, readFileSync(addressFile, "utf8").trim());
  }

  private constructor(child: ChildProcess, logFile: string, adminAddress: string) {
    this.#child = child;
    this.logFile = logFile;
    this.admin = new AdminClient(adminAddress);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** For the error message if it ended unasked. */
  get lastWords(): string {
    return endOf(this.logFile);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(timer);
  }
}

function endOf(logFile: string): string {
  return readFileSync(logFile, "utf8").split("\n").slice(-15).join("\n");
}
