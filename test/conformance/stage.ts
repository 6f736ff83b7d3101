import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ManagementServer } from "../../src/xds-server/management-server.ts";
import { HttpUpstream } from "../support/http-upstream.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { until } from "../support/until.ts";
import { ObservationLog } from "./observations.ts";
import { bootstrapOf, type Place } from "./resources.ts";
import {
  changesBetween,
  comparedStats,
  isSame,
  readSnapshot,
  type Snapshot,
} from "./stat-snapshot.ts";
import { WatchedConnection } from "./watched-connection.ts";

/** Ports that a scenario may name; below those that the kernel gives to clients. */
const ports = { A: 21_001, B: 21_002, C: 21_003, D: 21_004, E: 21_005 } as const;
export type Port = keyof typeof ports;

export interface StageOptions {
  readonly program: string;
  /** Of all stages that live at once, to have a loopback address of its own. */
  readonly number: number;
  readonly flags: readonly string[];
  /** Whether there is a management server for routes, which has none. */
  readonly hasSilentServer: boolean;
  /** More of the bootstrap. */
  readonly bootstrap: (stage: StagePlaces) => { readonly listeners?: object[]; fields?: object };
}

/** Where a stage's listeners are. */
export class StagePlaces {
  readonly host: string;

  constructor(number: number) {
    // Ports that are named before they are bound would meet those of other runs; a loopback address of our own does not.
    this.host = `127.${number}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
  }

  at(port: Port): Place {
    return { host: this.host, port: ports[port] };
  }

  /** The same text whatever the address was: `HOST:A`. */
  normalise(text: string): string {
    let result = text.replaceAll(this.host, "HOST");
    for (const [name, port] of Object.entries(ports))
      result = result.replaceAll(String(port), name);
    return result;
  }
}

/** One proxy with its surroundings: listeners by a file that is moved into place, two upstreams, watched clients. */
export class Stage extends StagePlaces implements AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly upstream: HttpUpstream;
  readonly #log = new ObservationLog();
  readonly #folder: string;
  readonly #owned: AsyncDisposableStack;
  #step = "start";
  #pushes = 0;
  #seen: Snapshot = new Map();

  private constructor(
    number: number,
    parts: {
      readonly proxy: ProxyProcess;
      readonly upstream: HttpUpstream;
      readonly folder: string;
      readonly owned: AsyncDisposableStack;
    },
  ) {
    super(number);
    this.proxy = parts.proxy;
    this.upstream = parts.upstream;
    this.#folder = parts.folder;
    this.#owned = parts.owned;
  }

  static async start(options: StageOptions): Promise<Stage> {
    const { program, number, flags, bootstrap, hasSilentServer } = options;
    await using starting = new AsyncDisposableStack();
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-conformance-"));
    starting.defer(() => rmSync(folder, { recursive: true, force: true }));
    const ldsPath = path.join(folder, "lds.json");
    writeFileSync(ldsPath, ldsResponse(0, []));
    const upstream = starting.use(await HttpUpstream.start("upstream"));
    const echo = starting.use(await startUpstream());
    // Has nothing to give, so whoever asks it waits.
    const silent = hasSilentServer ? starting.use(await ManagementServer.start()) : undefined;
    const { listeners = [], fields = {} } = bootstrap(new StagePlaces(number));
    const config = bootstrapOf({
      ldsPath,
      upstreams: { upstream: upstream.port, echo: echo.port, silent: silent?.port },
      staticListeners: listeners,
      fields,
    });
    const proxy = starting.use(await ProxyProcess.start(config, flags, program));
    const owned = starting.move();
    const stage = new Stage(number, { proxy, upstream, folder, owned });
    stage.#seen = await stage.#settled();
    return stage;
  }

  get observations(): ReturnType<() => ObservationLog["observations"]> {
    return this.#log.observations;
  }

  get current(): string {
    return this.#step;
  }

  /** What is noted from now on belongs to this step. */
  step(name: string): void {
    this.#step = name;
  }

  note(what: string, seen: string | number | boolean): void {
    this.#log.note(this.#step, what, this.normalise(String(seen)).trim() || "none");
  }

  /** Notes how the statistics have changed since they were noted last. */
  noteStats(): Promise<void> {
    return this.noteExcept(/^$/);
  }

  /** Those of listeners, whatever their values. */
  async noteStatNames(): Promise<void> {
    const names = [...(await this.#settled()).keys()];
    for (const name of names) if (/^listener(_manager)?\./.test(name)) this.note(name, "there");
  }

  /** As `noteStats`, but for those whose numbers depend on how fast the machine is. */
  async noteExcept(pattern: RegExp): Promise<void> {
    const now = await this.#settled();
    for (const [name, change] of changesBetween(this.#seen, now))
      if (!pattern.test(name)) this.note(name, change);
    this.#seen = now;
  }

  /** Until what was told to workers has come to them. */
  async settle(): Promise<void> {
    await this.#settled();
  }

  /** The whole name of one of a listener's statistics. */
  statOf(port: Port, name: string): string {
    return `listener.${this.host}_${ports[port]}.${name}`;
  }

  /** Status and text, whichever the status. */
  async adminText(target: string, method = "GET"): Promise<string> {
    const response = await fetch(`http://${this.proxy.adminAddress}${target}`, { method });
    return `${response.status} ${await response.text()}`;
  }

  adminPost(target: string): Promise<string> {
    return this.adminText(target, "POST");
  }

  /** Past an instant of `performance.now()`: for what must not happen until then. */
  async pause(untilMs: number): Promise<void> {
    await until(() => performance.now() > untilMs, "time passes");
  }

  /** Moves these listeners into place; resolves when the proxy has judged them. */
  async push(...listeners: readonly object[]): Promise<void> {
    const before = await this.#judged();
    const next = path.join(this.#folder, "next.json");
    writeFileSync(next, ldsResponse(++this.#pushes, listeners));
    renameSync(next, path.join(this.#folder, "lds.json"));
    await until(async () => (await this.#judged()) > before, "the push was judged");
  }

  /** Pushes, names the step, and notes the statistics. */
  async pushed(step: string, ...listeners: readonly object[]): Promise<void> {
    this.step(step);
    await this.push(...listeners);
    await this.noteStats();
  }

  /** From this loopback address. */
  connect(port: Port = "A", from = "127.0.0.1"): WatchedConnection {
    const connection = new WatchedConnection(this.at(port), from);
    this.#owned.use(connection);
    return connection;
  }

  /** What one request over a connection of its own sees; the client ends it. */
  async ask(port: Port = "A", target = "/"): Promise<string> {
    using connection = this.connect(port);
    return await connection.ask(target);
  }

  /** Until a gauge or counter has this value. */
  async untilStat(name: string, value: number): Promise<void> {
    await until(async () => (await this.proxy.stat(name)) === value, `${name} is ${value}`);
  }

  /** By the drain time of the scenario, until no listener and no chain drains any more. */
  async untilDrained(): Promise<void> {
    await this.untilStat("listener_manager.total_listeners_draining", 0);
    await this.untilStat("listener_manager.total_filter_chains_draining", 0);
  }

  /** The errors of rejected listeners, as the configuration dump has them: there Envoy has each twice. */
  async errors(): Promise<string> {
    const { configs } = JSON.parse(
      await this.proxy.admin("/config_dump?resource=dynamic_listeners"),
    ) as { configs?: { error_state?: { details: string } }[] };
    const errors = (configs ?? []).flatMap(({ error_state: state }) => state?.details ?? []);
    // Envoy prints the message before what is wrong in it, on purpose never twice in the same form.
    const reasons = errors.map((error) => error.replace(/goo\.gle\/debug[^]*?: (?=Proto )/, ""));
    return [...new Set(reasons)].join(" + ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  async #judged(): Promise<number> {
    const text = await this.proxy.admin("/stats?filter=listener_manager.lds.update_");
    const counts = text.matchAll(/update_(?:success|rejected|failure): (\d+)/g);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Workers tell what they did a moment later: two looks that are the same. */
  async #settled(): Promise<Snapshot> {
    let last = await this.#look();
    return await until(async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 150);
      });
      const now = await this.#look();
      const isSettled = isSame(last, now);
      last = now;
      return isSettled ? now : undefined;
    }, "the statistics have settled");
  }

  async #look(): Promise<Snapshot> {
    return readSnapshot(
      this.normalise(await this.proxy.admin(`/stats?filter=${comparedStats.source}`)),
    );
  }
}

const listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener";

function ldsResponse(version: number, resources: readonly object[]): string {
  const listeners = resources.map((resource) => ({ "@type": listenerType, ...resource }));
  return JSON.stringify({ version_info: `v${version}`, resources: listeners });
}
