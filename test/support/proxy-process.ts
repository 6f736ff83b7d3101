import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.ts";

/**
 * A proxy in a process of its own: `bin/sluice`, or what SLUICE_TEST_PROXY names. Command line,
 * bootstrap and admin are Envoy's, so `SLUICE_TEST_PROXY=envoy` runs the same test against Envoy:
 * the way to know whether a test that fails is right.
 */
export class ProxyProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #adminUrl: string;
  readonly #log: () => string;

  private constructor(
    process: ChildProcess,
    directory: string,
    adminUrl: string,
    log: () => string,
  ) {
    this.#process = process;
    this.#directory = directory;
    this.#adminUrl = adminUrl;
    this.#log = log;
  }

  /** Resolves when the proxy says that it is LIVE. The bootstrap's admin must listen on port 0. */
  static async start(
    bootstrap: object,
    flags: readonly string[] = [],
    program = process.env["SLUICE_TEST_PROXY"] ?? path.resolve("bin/sluice"),
    environment: NodeJS.ProcessEnv = {},
  ): Promise<ProxyProcess> {
    const directory = await mkdtemp(path.join(tmpdir(), "sluice-proxy-"));
    const config = path.join(directory, "bootstrap.json");
    const adminPath = path.join(directory, "admin");
    await writeFile(config, JSON.stringify(bootstrap));
    const args = ["-c", config, "--admin-address-path", adminPath];
    const unless = (flag: string, value: string): readonly string[] =>
      flags.includes(flag) ? [] : [flag, value];
    const common = [
      ...unless("--concurrency", "1"),
      // A test that reads a log need not wait for Envoy's ten seconds.
      ...unless("--file-flush-interval-msec", "20"),
      "--disable-hot-restart",
      "-l",
      "warning",
    ];
    // A file: Node's pipes are sockets, which nobody can open by the name of /dev/stdout, as access logs do.
    const output = path.join(directory, "output");
    const descriptor = openSync(output, "a");
    const child = spawn(program, [...args, ...common, ...flags], {
      stdio: ["ignore", descriptor, descriptor],
      env: { ...process.env, ...environment },
    });
    closeSync(descriptor);
    const log = (): string => readFileSync(output, "utf8").slice(-20_000);
    const isUp = async (): Promise<string | undefined> => {
      assert(
        child.exitCode === null && child.signalCode === null,
        `the proxy has ended:\n${log()}`,
      );
      const address = await readFile(adminPath, "utf8").catch(() => "");
      if (address === "") return undefined;
      const url = `http://${address.trim()}`;
      const ready = await fetch(`${url}/ready`).catch(() => undefined);
      return ready?.ok ? url : undefined;
    };
    try {
      const url = await until(isUp, "the proxy is live");
      return new ProxyProcess(child, directory, url, log);
    } catch (error) {
      child.kill("SIGKILL");
      const printed = log();
      await rm(directory, { recursive: true, force: true });
      throw new Error(`the proxy did not start:\n${printed}`, { cause: error });
    }
  }

  /** What it has printed, for the message of an assertion. */
  get log(): string {
    return this.#log();
  }

  /** `bin/sluice` becomes the proxy itself: it is nobody's parent. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** `127.0.0.1:9901`. */
  get adminAddress(): string {
    return new URL(this.#adminUrl).host;
  }

  async admin(target: string, method = "GET"): Promise<string> {
    const response = await fetch(this.#adminUrl + target, { method }).catch((error: unknown) => {
      throw new Error(`${target}: no answer; the proxy's log:\n${this.#log()}`, { cause: error });
    });
    const text = await response.text();
    assert(response.ok, `${target}: ${response.status} ${text}`);
    return text;
  }

  /** A counter or gauge by its whole name; 0 where there is none. */
  async stat(name: string): Promise<number> {
    const pattern = encodeURIComponent(`^${name.replaceAll(".", "\\.")}$`);
    const line = await this.admin(`/stats?filter=${pattern}`);
    return Number(line.trim().split(": ")[1] ?? 0);
  }

  /** The port each listener is bound to, by name; draining listeners are not there. */
  async listenerPorts(): Promise<ReadonlyMap<string, number>> {
    const { listener_statuses: listeners = [] } = JSON.parse(
      await this.admin("/listeners?format=json"),
    ) as { listener_statuses?: { name: string; local_address: SocketAddressJson }[] };
    return new Map(listeners.map((l) => [l.name, l.local_address.socket_address.port_value]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, "exit");
      // Not by a signal: that would drain what the test has left open.
      const quit = fetch(`${this.#adminUrl}/quitquitquit`, { method: "POST" });
      await quit.catch(() => this.#process.kill("SIGTERM"));
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

interface SocketAddressJson {
  readonly socket_address: { readonly port_value: number };
}
