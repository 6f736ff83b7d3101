/** A proxy under the embedded management server, alone on its core, whose listeners change. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PushingServer } from "../../test/support/pushing-server.ts";
import { cores, PinnedProcess } from "../measure/pinned-process.ts";
import { pause } from "../measure/pause.ts";
import type { Rival } from "../suites/rivals.ts";
import { pushBootstrap } from "./push-bootstrap.ts";

const startTimeMs = 20_000;
const pollTimeMs = 20;

export class ChangingProxy implements AsyncDisposable {
  readonly process: PinnedProcess;
  readonly #server: PushingServer;
  readonly #admin: () => string;
  readonly #cleanup: AsyncDisposableStack;

  /** Resolves when it is ready and has the listeners. */
  static async start(
    rival: Rival,
    listeners: readonly object[],
    flags: readonly string[] = [],
  ): Promise<ChangingProxy> {
    await using cleanup = new AsyncDisposableStack();
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const server = cleanup.use(await PushingServer.start());
    server.offer("listeners", listeners);
    const config = path.join(folder, "bootstrap.json");
    const bootstrap = pushBootstrap({ node: "bench", xdsAddress: server.address, isDelta: false });
    writeFileSync(config, JSON.stringify(bootstrap));
    const adminPath = path.join(folder, "admin");
    const files = ["-c", config, "--admin-address-path", adminPath];
    const args = [...files, "--concurrency", "1", "--disable-hot-restart", "-l", "error", ...flags];
    const process = cleanup.use(new PinnedProcess({ program: rival.file, args }, cores.proxy));
    const admin = (): string => `http://${readFileSync(adminPath, "utf8").trim()}`;
    const proxy = new ChangingProxy({ process, server, admin, cleanup: cleanup.move() });
    await proxy.#until("it is ready", async () => (await fetch(`${admin()}/ready`)).ok);
    return proxy;
  }

  private constructor(parts: {
    readonly process: PinnedProcess;
    readonly server: PushingServer;
    readonly admin: () => string;
    readonly cleanup: AsyncDisposableStack;
  }) {
    this.process = parts.process;
    this.#server = parts.server;
    this.#admin = parts.admin;
    this.#cleanup = parts.cleanup;
  }

  /** Throws if they are not accepted. */
  push(listeners: readonly object[]): Promise<void> {
    return this.#server.accepted("listeners", listeners);
  }

  get cpuMs(): number {
    return this.process.usage.cpuNs / 1e6;
  }

  /** When no listener drains any more: its connections have gone, or its time is up. */
  async drained(withinMs: number): Promise<void> {
    const gauge = "listener_manager.total_listeners_draining";
    const url = `${this.#admin()}/stats?filter=${encodeURIComponent(`^${gauge}$`)}`;
    const isDone = async (): Promise<boolean> =>
      (await (await fetch(url)).text()).trim().endsWith(": 0");
    await this.#until("nothing drains", isDone, withinMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup.disposeAsync();
  }

  async #until(
    what: string,
    isDone: () => Promise<boolean>,
    withinMs = startTimeMs,
  ): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await isDone().catch(() => false))) {
      this.process.assertAlive();
      if (performance.now() > deadline)
        throw new Error(`not within ${withinMs} ms: ${what}\n${this.process.log}`);
      await pause(pollTimeMs);
    }
  }
}
