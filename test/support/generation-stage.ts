/**
 * Generations of one proxy on fixed ports of their own, under load: each started by hand with its epoch, as a restarter
 * would. A generation may be Sluice or Envoy.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { SteadyClients } from "./steady-clients.ts";
import { httpListener, routesTo, staticCluster } from "./truth-resources.ts";
import { until } from "./until.ts";

export class Generation {
  readonly process: ChildProcess;
  readonly exit: Promise<unknown[]>;
  #log = "";

  constructor(program: string, args: readonly string[]) {
    this.process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.exit = once(this.process, "exit");
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on("data", (bytes) => (this.#log += String(bytes)));
  }

  get log(): string {
    return this.#log;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }
}

export class GenerationStage implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "sluice-generations-"));
  readonly port: number;
  readonly admin: string;
  readonly baseId: number;
  readonly #started: Generation[] = [];
  readonly #owned: AsyncDisposableStack;

  private constructor(
    places: { readonly port: number; readonly adminPort: number; readonly upstream: number },
    baseId: number,
    owned: AsyncDisposableStack,
  ) {
    this.port = places.port;
    this.admin = `http://127.0.0.1:${places.adminPort}`;
    this.baseId = baseId;
    this.#owned = owned;
    this.write("good.json", bootstrap(places));
  }

  static async start(): Promise<GenerationStage> {
    const owned = new AsyncDisposableStack();
    const server = createServer((_, response) => response.end("fine"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    owned.defer(() => server.close().closeAllConnections());
    const upstream = (server.address() as AddressInfo).port;
    const [port, adminPort] = [await freePort(), await freePort()];
    // Nobody else's: the port is ours for now.
    return new GenerationStage({ port, adminPort, upstream }, port, owned);
  }

  write(name: string, config: object): void {
    writeFileSync(path.join(this.folder, name), JSON.stringify(config));
  }

  launch(
    epoch: number,
    {
      program = path.resolve("bin/sluice"),
      flags = [] as readonly string[],
      config = "good.json",
    } = {},
  ): Generation {
    const common = ["-c", path.join(this.folder, config), "-l", "info", "--concurrency", "2"];
    const place = ["--restart-epoch", String(epoch), "--base-id", String(this.baseId)];
    const times = ["--drain-time-s", "2", "--parent-shutdown-time-s", "20"];
    const generation = new Generation(program, [...common, ...place, ...times, ...flags]);
    this.#started.push(generation);
    return generation;
  }

  /** It has the admin, and is live. */
  async serves(generation: Generation, epoch: number): Promise<void> {
    await until(async () => {
      if (generation.hasEnded) throw new Error(`it has ended:\n${generation.log}`);
      const info = await this.info();
      return info?.state === "LIVE" && (info.command_line_options.restart_epoch ?? 0) === epoch;
    }, `epoch ${epoch} serves`);
  }

  async info(): Promise<ServerInfoJson | undefined> {
    const response = await fetch(`${this.admin}/server_info`).catch(() => undefined);
    return response?.ok ? ((await response.json()) as ServerInfoJson) : undefined;
  }

  async stat(name: string): Promise<number> {
    const filter = encodeURIComponent(`^${name.replaceAll(".", "\\.")}$`);
    const text = await (await fetch(`${this.admin}/stats?filter=${filter}`)).text();
    return Number(text.trim().split(": ")[1] ?? Number.NaN);
  }

  load(): { readonly kept: SteadyClients; readonly short: SteadyClients } {
    const kept = this.#owned.use(new SteadyClients(this.port, 8, { keepAlive: true }));
    const short = { keepAlive: false, mayBeRefused: false };
    return { kept, short: this.#owned.use(new SteadyClients(this.port, 2, short)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
    for (const generation of this.#started) {
      if (!generation.hasEnded) generation.process.kill("SIGKILL");
      await generation.exit;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface ServerInfoJson {
  readonly state: string;
  readonly uptime_all_epochs: string;
  readonly command_line_options: { readonly restart_epoch?: number };
}

function bootstrap(places: {
  readonly port: number;
  readonly adminPort: number;
  readonly upstream: number;
}): object {
  const loopback = (port: number): object => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  return {
    admin: { address: loopback(places.adminPort) },
    static_resources: {
      listeners: [
        {
          ...httpListener("web", { route_config: routesTo("up") }),
          address: loopback(places.port),
        },
      ],
      clusters: [staticCluster("up", places.upstream)],
    },
  };
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
