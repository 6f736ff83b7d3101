/** The management server as a program of its own, so that it can be killed and come back on its port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.ts";

export class XdsServerProcess implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-xds-"));
  #child: ChildProcess | undefined;
  #output = "";
  #port = 0;

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Everything it printed since it was started last. */
  get output(): string {
    return this.#output;
  }

  /** `kind`: `listeners`, `clusters`, `routes`, `endpoints`. Read when it starts. */
  write(kind: string, resources: readonly object[]): void {
    writeFileSync(path.join(this.#folder, `${kind}.json`), JSON.stringify(resources));
  }

  /** On the port it had before, if it had one. */
  async start(): Promise<void> {
    const program = path.resolve("src/xds-server/main.ts");
    this.#output = "";
    const flags = ["--address", this.address, "--http-address", "127.0.0.1:0"];
    const child = spawn(process.execPath, [program, this.#folder, ...flags]);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (this.#output += String(chunk)));
    this.#port = await until(() => {
      if (child.exitCode !== null) throw new Error(`the server has ended:\n${this.#output}`);
      const port = /on port (\d+)/.exec(this.#output)?.[1];
      return port === undefined ? undefined : Number(port);
    }, "the management server serves");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
