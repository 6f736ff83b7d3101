/** `bin/sluice` as a program: its arguments in, its output and exit code out. For a proxy that serves see `proxy-process.ts`. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.ts";

export class SluiceProgram implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly folder: string;
  #stdout = "";
  #stderr = "";
  readonly #exit: Promise<number>;

  /** Files are written into a folder of its own, which is the working directory. */
  constructor(
    args: readonly string[],
    options: {
      readonly files?: Readonly<Record<string, string>>;
      readonly env?: NodeJS.ProcessEnv;
    } = {},
  ) {
    this.folder = mkdtempSync(path.join(tmpdir(), "sluice-program-"));
    for (const [name, text] of Object.entries(options.files ?? {}))
      writeFileSync(path.join(this.folder, name), text);
    this.child = spawn(path.resolve("bin/sluice"), args, {
      cwd: this.folder,
      env: { ...process.env, ...options.env },
    });
    this.child.stdout?.on("data", (chunk) => (this.#stdout += String(chunk)));
    this.child.stderr?.on("data", (chunk) => (this.#stderr += String(chunk)));
    // `close` comes when all output has been read, too. A signal has no code: it is never right here.
    this.#exit = once(this.child, "close").then(([code]) => (code as number | null) ?? -1);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The exit code; -1 where a signal killed it. */
  get exit(): Promise<number> {
    return this.#exit;
  }

  file(name: string): string {
    const file = path.join(this.folder, name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  write(name: string, text: string): void {
    writeFileSync(path.join(this.folder, name), text);
  }

  /** Where the admin listens; started with `--admin-address-path admin`. */
  adminUrl(): Promise<string> {
    return until(() => {
      assert(this.child.exitCode === null, `the proxy has ended:\n${this.#stderr}`);
      const address = this.file("admin");
      return address === "" ? undefined : `http://${address}`;
    }, "the admin is up");
  }

  /** The admin's URL once the server is LIVE. */
  async live(): Promise<string> {
    const url = await this.adminUrl();
    await until(async () => {
      assert(this.child.exitCode === null, `the proxy has ended:\n${this.#stderr}`);
      return (await fetch(`${url}/ready`)).ok;
    }, "the proxy is live");
    return url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.#exit;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const adminOnPortZero = {
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
};

/** A TCP proxy to `upstreamPort`, listening on `port` of loopback. */
export function tcpBootstrap(upstreamPort: number, port = 0): object {
  const address = (portValue: number) => ({
    socket_address: { address: "127.0.0.1", port_value: portValue },
  });
  const tcpProxy = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "tcp",
    cluster: "upstream",
  };
  return {
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        {
          name: "tcp",
          address: address(port),
          filter_chains: [{ filters: [{ name: "tcp", typed_config: tcpProxy }] }],
        },
      ],
      clusters: [
        {
          name: "upstream",
          type: "STATIC",
          connect_timeout: "1s",
          load_assignment: {
            cluster_name: "upstream",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}
