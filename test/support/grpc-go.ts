/** gRPC's interop client and server for Go, installed once by name and version. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { findGo } from "../../src/cli/go-control-plane.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const execute = promisify(execFile);
const version = "v1.85.0";
const folder = path.resolve("node_modules/.cache/sluice", `grpc-go-${version}`);
const names = ["client", "server"] as const;

/** Where it cannot be had, in words why; undefined: it is there. */
export async function installGrpcGo(): Promise<string | undefined> {
  if (names.every((name) => existsSync(path.join(folder, name)))) return undefined;
  if ((await findGo()) === undefined) return "there is no go on the path";
  const modules = names.map((name) => `google.golang.org/grpc/interop/${name}@${version}`);
  try {
    await execute("go", ["install", ...modules], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: "" },
      timeout: 240_000,
    });
    return undefined;
  } catch (error) {
    return `grpc-go could not be installed: ${String(error)}`;
  }
}

export class GrpcGoServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  static async start(flags: readonly string[] = []): Promise<GrpcGoServer> {
    const port = await freePort();
    const args = ["--port", String(port), ...flags];
    const child = spawn(path.join(folder, "server"), args, { stdio: "ignore" });
    const isThere = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        const end = (isOpen: boolean) => (): void => {
          socket.destroy();
          resolve(isOpen);
        };
        socket.once("connect", end(true)).once("error", end(false));
      });
    await until(isThere, "grpc-go's server is up");
    return new GrpcGoServer(port, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill();
    await exited;
  }
}

/** Throws with what it printed where the case fails. */
export async function runGrpcGoClient(
  port: number,
  testCase: string,
  flags: readonly string[],
): Promise<void> {
  const to = ["--server_host", "127.0.0.1", "--server_port", String(port)];
  await execute(path.join(folder, "client"), [...to, "--test_case", testCase, ...flags], {
    timeout: 30_000,
  });
}
