import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/**
 * Builds, starts and drives the management server of `test/interop/go-control-plane` (Go, on the
 * go-control-plane library). The interop test and the demo share it. It needs a `go` on the path;
 * ask `findGo` first. The first build downloads modules, later ones take about two seconds.
 */
export const resourceKinds = [
  "clusters",
  "endpoints",
  "secrets",
  "extension_configs",
  "listeners",
  "routes",
  "scoped_routes",
  "virtual_hosts",
  "runtime",
] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** Resources in proto3 JSON. A kind that is left out stays as it is; an empty list removes all. */
export type Resources = Readonly<Partial<Record<ResourceKind, readonly object[]>>>;
export type Versions = Readonly<Record<ResourceKind, string>>;

/** What one node has answered about one kind. */
export interface Answer {
  readonly sent: string;
  readonly acked: string;
  /** The newest refusal, kept after later ACKs: it stands while its version is the one sent. */
  readonly nacked?: { readonly version: string; readonly code: number; readonly error: string };
  readonly acks: number;
  readonly nacks: number;
  /** Responses on streams that are open, with no answer yet. */
  readonly waiting: number;
  /** Microseconds since 1970 of the newest of either. */
  readonly answeredAt: number;
}

/** Listeners by the thousand, made in the control plane: see `test/interop/go-control-plane/generate.go`. */
export interface ListenerOrder {
  readonly count: number;
  /** Of all of them; each has a loopback address of its own, 127.1.0.0 and on. */
  readonly port: number;
  /** Routes by RDS, not inline. */
  readonly rds: boolean;
  /** Index of the listener whose routes answer `mark` on `/mark`; all others answer `a`. */
  readonly changed: number;
  readonly mark: string;
}

export interface Pushed {
  /** Of the listeners. */
  readonly version: string;
  /** Microseconds since 1970. */
  readonly pushedAt: number;
}

/** How it keeps and serves what is pushed. */
export interface GoControlPlaneOptions {
  /** For a stream of each type: answers for what is there, in any order. ADS unless set. */
  readonly isSplit?: boolean;
  /** Kinds kept in linear caches, beside a snapshot cache behind a mux. */
  readonly linear?: readonly ResourceKind[];
}

/** What came by the gRPC access log service. */
export interface ReceivedAccessLogs {
  readonly streams: number;
  readonly http: number;
  readonly tcp: number;
  readonly entries: readonly {
    readonly log: string;
    readonly node: string;
    readonly path?: string;
    readonly code?: number;
    readonly cluster: string;
  }[];
}

export interface ControlPlaneStatus {
  readonly streams: number;
  readonly nodes: Readonly<Record<string, Readonly<Partial<Record<ResourceKind, Answer>>>>>;
}

const execute = promisify(execFile);

const buildTimeMs = 300_000;
const startTimeMs = 30_000;
const answerTimeMs = 20_000;
const pollTimeMs = 20;

/** The version of Go on the path, or undefined where there is none. */
export async function findGo(): Promise<string | undefined> {
  try {
    return (await run("go", ["env", "GOVERSION"], process.cwd())).trim();
  } catch {
    return undefined;
  }
}

export class GoControlPlane implements AsyncDisposable {
  /** `host:port` of the ADS service: gRPC without TLS, on loopback. */
  readonly xdsAddress: string;
  /** `host:port` where the same is polled over HTTP. */
  readonly restAddress: string;
  readonly #control: string;
  readonly #node: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(
    addresses: { xds: string; control: string },
    started: { node: string; process: ChildProcess; directory: string },
  ) {
    this.xdsAddress = addresses.xds;
    this.restAddress = addresses.control;
    this.#control = `http://${addresses.control}`;
    this.#node = started.node;
    this.#process = started.process;
    this.#directory = started.directory;
  }

  /**
   * @param source the folder of the Go module.
   * @param node the node id whose snapshot this object pushes: what the proxy's bootstrap says.
   */
  static async start(
    source: string,
    node: string,
    { isSplit = false, linear = [] }: GoControlPlaneOptions = {},
  ): Promise<GoControlPlane> {
    const directory = await mkdtemp(path.join(tmpdir(), "sluice-go-control-plane-"));
    try {
      const binary = path.join(directory, "go-control-plane");
      await run("go", ["build", "-o", binary, "."], source);
      // Its standard input is ours: it ends when we do, however we end.
      const flags = [...(isSplit ? ["-split"] : []), "-linear", linear.join(",")];
      const child = spawn(binary, flags, { stdio: ["pipe", "pipe", "inherit"] });
      return new GoControlPlane(await addressesOf(child), { node, process: child, directory });
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Resolves with the versions now on offer; the proxy's answer comes later (`answered`). */
  push(resources: Resources): Promise<Versions> {
    return this.#request<Versions>("POST", `/snapshot?node=${this.#node}`, resources);
  }

  /** For a node of any name. */
  generate(node: string, order: ListenerOrder): Promise<Pushed> {
    return this.#request<Pushed>("POST", `/generate?node=${node}`, order);
  }

  remove(kind: ResourceKind, name: string): Promise<Versions> {
    const query = new URLSearchParams({ node: this.#node, kind, name });
    return this.#request<Versions>("POST", `/remove?${query.toString()}`);
  }

  accessLogs(): Promise<ReceivedAccessLogs> {
    return this.#request<ReceivedAccessLogs>("GET", "/access-logs");
  }

  status(): Promise<ControlPlaneStatus> {
    return this.#request<ControlPlaneStatus>("GET", "/status");
  }

  /** Waits until the proxy has accepted or refused that version of that kind. */
  async answered(kind: ResourceKind, version: string): Promise<Answer> {
    const signal = AbortSignal.timeout(answerTimeMs);
    for (;;) {
      const answer = (await this.status()).nodes[this.#node]?.[kind];
      if (answer && (answer.acked === version || answer.nacked?.version === version)) return answer;
      if (signal.aborted) {
        throw new Error(`no answer to ${kind} ${version}: ${JSON.stringify(answer)}`);
      }
      await delay(pollTimeMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, "exit");
      this.#process.stdin?.end();
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #request<T>(method: string, target: string, body?: object): Promise<T> {
    const response = await fetch(this.#control + target, {
      method,
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerTimeMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${target}: ${response.status} ${text.trim()}`);
    return JSON.parse(text) as T;
  }
}

async function addressesOf(child: ChildProcess): Promise<{ xds: string; control: string }> {
  if (!child.stdout) throw new Error("the control plane has no standard output");
  const lines = createInterface(child.stdout);
  try {
    const [line] = (await Promise.race([
      once(lines, "line", { signal: AbortSignal.timeout(startTimeMs) }),
      once(child, "exit").then(([code]) => {
        throw new Error(`the control plane ended with ${code} before it was up`);
      }),
    ])) as [string];
    return JSON.parse(line) as { xds: string; control: string };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    lines.close();
  }
}

/** Runs a command to its end and gives its standard output; what it complains of is in the error. */
async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  // Not `spawn`: its `timeout` holds the process for so long when there is no such command.
  const { stdout } = await execute(command, [...args], { cwd, timeout: buildTimeMs });
  return stdout;
}

function delay(timeMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeMs);
  });
}
