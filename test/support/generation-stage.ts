/**
 * Generations of one proxy on fixed ports of their own, under load: each started by hand with its epoch, as a restarter
 * would. A generation may be Sluice or Envoy.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { EchoingUpstream } from "./echoing-upstream.ts";
import { freePort } from "./free-port.ts";
import { servingBootstrap } from "./serving-bootstrap.ts";
import { SteadyClients } from "./steady-clients.ts";
import { until } from "./until.ts";
import { WholeLoad, type WholeLoadSize } from "./whole-load.ts";

export class Generation {
  readonly process: ChildProcess;
  readonly exit: Promise<unknown[]>;
  #log = "";

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    this.process = spawn(program, args, { stdio: [...stdio], env: { ...process.env, ...env } });
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

export interface LaunchOptions {
  readonly program?: string;
  readonly flags?: readonly string[];
  readonly config?: string;
  /** In place of an epoch. */
  readonly handoverDir?: string | undefined;
  /** The one before has so long to drain. */
  readonly endsAfterS?: number;
  /** Over which connections are told. */
  readonly drainS?: number;
  /** Workers. */
  readonly concurrency?: number;
  readonly env?: NodeJS.ProcessEnv;
}

export class GenerationStage implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "sluice-generations-"));
  /** HTTP of both versions, WebSockets. */
  readonly port: number;
  readonly tcpPort: number;
  /** Of HTTP. */
  readonly upstream: number;
  readonly admin: string;
  readonly baseId: number;
  readonly #started: Generation[] = [];
  readonly #owned: AsyncDisposableStack;

  private constructor(
    places: Parameters<typeof servingBootstrap>[0],
    baseId: number,
    owned: AsyncDisposableStack,
  ) {
    this.port = places.http;
    this.tcpPort = places.tcp;
    this.upstream = places.upstream.http;
    this.admin = `http://127.0.0.1:${places.admin}`;
    this.baseId = baseId;
    this.#owned = owned;
    this.write("good.json", servingBootstrap(places));
  }

  static async start(): Promise<GenerationStage> {
    const owned = new AsyncDisposableStack();
    const upstream = owned.use(await EchoingUpstream.start());
    const [http, tcp, admin] = [await freePort(), await freePort(), await freePort()];
    // Nobody else's: the port is ours for now.
    return new GenerationStage({ http, tcp, admin, upstream }, http, owned);
  }

  write(name: string, config: object): void {
    writeFileSync(path.join(this.folder, name), JSON.stringify(config));
  }

  read(name: string): unknown {
    return JSON.parse(readFileSync(path.join(this.folder, name), "utf8"));
  }

  /** At once, as whoever watches the file wants it. */
  replace(name: string, config: object): void {
    this.write(`${name}.next`, config);
    renameSync(path.join(this.folder, `${name}.next`), path.join(this.folder, name));
  }

  launch(epoch: number, options: LaunchOptions = {}): Generation {
    const { program = path.resolve("bin/sluice"), flags = [], config = "good.json" } = options;
    const { drainS = 2 } = options;
    const { handoverDir, endsAfterS = handoverDir === undefined ? 20 : 3 } = options;
    const workers = ["--concurrency", String(options.concurrency ?? 2)];
    const common = ["-c", path.join(this.folder, config), "-l", "info", ...workers];
    const place =
      handoverDir === undefined
        ? ["--restart-epoch", String(epoch), "--base-id", String(this.baseId)]
        : ["--handover-dir", handoverDir, "--service-node", `n${epoch}`];
    const own = handoverDir === undefined ? [] : ["--handover-drain-s", `${endsAfterS}`];
    const times = [
      ...own,
      "--drain-time-s",
      `${drainS}`,
      "--parent-shutdown-time-s",
      `${endsAfterS}`,
    ];
    const generation = new Generation(
      program,
      [...common, ...place, ...times, ...flags],
      options.env,
    );
    this.#started.push(generation);
    return generation;
  }

  /** It has the admin, and is live. */
  async serves(generation: Generation, epoch: number): Promise<void> {
    await until(async () => {
      if (generation.hasEnded) throw new Error(`it has ended:\n${generation.log}`);
      const info = await this.info();
      if (info?.state !== "LIVE") return false;
      const { service_node: node = "", restart_epoch: at = 0 } = info.command_line_options;
      return node === "" ? at === epoch : node === `n${epoch}`;
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

  /** Of the generations' sockets, in the kernel's table. */
  namesBound(): readonly string[] {
    const names = new RegExp(`@envoy_domain_socket\\w*_${this.baseId}\\d`, "g");
    return [...new Set(readFileSync("/proc/net/unix", "utf8").match(names) ?? [])].sort();
  }

  /** What one generation binds. */
  namesOf(epoch: number): readonly string[] {
    const kinds = ["child", "parent", "sluice", "udp_child", "udp_parent"];
    return kinds.map((kind) => `@envoy_domain_socket_${kind}_${this.baseId * 10 + epoch}`).sort();
  }

  /** `gapMs`: between a client's requests; without, they take all that there is. */
  load(gapMs = 0): { readonly kept: SteadyClients; readonly short: SteadyClients } {
    const kept = this.#owned.use(new SteadyClients(this.port, 8, { keepAlive: true, gapMs }));
    const short = { keepAlive: false, mayBeRefused: false, gapMs };
    return { kept, short: this.#owned.use(new SteadyClients(this.port, 2, short)) };
  }

  wholeLoad(size: WholeLoadSize): WholeLoad {
    const ports = { http: this.port, http2: this.port, tcp: this.tcpPort };
    return this.#owned.use(new WholeLoad(ports, size));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First: clients of one that does not answer would wait for ever.
    for (const generation of this.#started) {
      if (!generation.hasEnded) generation.process.kill("SIGKILL");
      await generation.exit;
    }
    await this.#owned.disposeAsync();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface ServerInfoJson {
  readonly state: string;
  readonly uptime_all_epochs: string;
  readonly command_line_options: {
    readonly restart_epoch?: number;
    readonly service_node?: string;
  };
}

/** Whose cluster waits for a control plane that never answers. */
export function waitingBootstrap(admin: string): object {
  const loopback = (port: number): object => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  return {
    node: { id: "n", cluster: "c" },
    admin: { address: loopback(Number(new URL(admin).port)) },
    dynamic_resources: {
      cds_config: {
        resource_api_version: "V3",
        initial_fetch_timeout: "0s",
        api_config_source: {
          api_type: "GRPC",
          transport_api_version: "V3",
          grpc_services: [{ envoy_grpc: { cluster_name: "control" } }],
        },
      },
    },
    static_resources: {
      clusters: [
        {
          name: "control",
          type: "STATIC",
          connect_timeout: "1s",
          http2_protocol_options: {},
          load_assignment: {
            cluster_name: "control",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(1) } }] }],
          },
        },
      ],
    },
  };
}
