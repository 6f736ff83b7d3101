/**
 * The process, from a decoded bootstrap to its end: the one place that constructs (Envoy: `InstanceBase`).
 *
 *     admin ─▶ workers ─▶ clusters ─▶ listeners ─▶ serving ─▶ end
 *
 * The admin is up first, so that a start-up that waits can be asked what it waits for.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";
import type { AdminGrpcServer } from "../admin/admin-grpc-server.ts";
import { daysUntil } from "../admin/certs-endpoint.ts";
import type { AdminServer } from "../admin/admin-server.ts";
import { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import { adminEndpoints, startAdmin, startAdminGrpc } from "./admin-setup.ts";
import type { LoadedBootstrap } from "./config-decoders.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";
import type { DataPlane } from "./data-plane.ts";
import type { DieOf } from "./fatal.ts";
import { Initialization } from "./initialization.ts";
import type { ServerLog } from "./log-setup.ts";
import { optionsJson } from "./options-json.ts";
import type { ServerOptions } from "./options.ts";
import { ServerLifecycle } from "./server-phase.ts";
import { ServerStats } from "./server-stats.ts";
import { versionText } from "./version.ts";
import { type ServerSlabs, createSlabs, openConnections, startWorkers } from "./worker-setup.ts";

/**
 * Workers that have not ended by then end with the process: a supervisor's patience is longer. They are not
 * terminated one by one, since that is no safe way to end a thread that is inside FFI.
 */
const shutdownMsMax = 1_500;

export interface ServerParts {
  readonly options: ServerOptions;
  readonly log: ServerLog;
  readonly loaded: LoadedBootstrap;
  readonly dataPlane: DataPlane;
  readonly clock: Clock;
  readonly random: Random;
  readonly die: DieOf;
}

export class Server {
  // Set once.
  readonly #parts: ServerParts;
  readonly #startedMs: number;
  readonly #loadedAtMs: number;
  readonly #concurrency: number;
  readonly #slabs: ServerSlabs;
  readonly #limits = new SharedLimits();
  readonly #stats: ServerStats;
  readonly #lifecycle: ServerLifecycle;
  readonly #pool: WorkerPool;
  readonly #plane: ControlPlane;
  readonly #initialization: Initialization;
  readonly #ended = Promise.withResolvers<void>();
  #isEnding = false;

  constructor(parts: ServerParts) {
    const { options, dataPlane, loaded, clock, log } = parts;
    this.#parts = parts;
    this.#startedMs = clock.now();
    this.#loadedAtMs = clock.wallTime();
    this.#concurrency = Math.min(options.concurrency, dataPlane.workersMax);
    if (this.#concurrency < options.concurrency)
      log
        .loggerOf("main")
        .warning(`the ${dataPlane.reactor} reactor has ${this.#concurrency} worker at most`);
    this.#slabs = createSlabs(this.#concurrency);
    this.#stats = new ServerStats(this.#slabs.stats, this.#concurrency);
    this.#lifecycle = new ServerLifecycle((lifecycle) => this.#stats.setState(lifecycle));
    this.#stats.setState(this.#lifecycle);
    this.#pool = startWorkers({
      dataPlane,
      options,
      log,
      concurrency: this.#concurrency,
      slabs: this.#slabs,
      limits: this.#limits,
      die: parts.die,
    });
    this.#plane = createControlPlane({
      ...parts,
      bootstrap: loaded.bootstrap,
      decoders: loaded.decoders,
      pool: this.#pool,
      limits: this.#limits,
      slabs: this.#slabs,
      listenSockets: dataPlane.listenSockets,
      lifecycle: this.#lifecycle,
      loggerOf: log.loggerOf,
    });
    this.#initialization = new Initialization({
      plane: this.#plane,
      bootstrap: loaded.bootstrap,
      decoders: loaded.decoders,
      lifecycle: this.#lifecycle,
      log: log.loggerOf("main"),
    });
  }

  /** Serves until `end`. Resolves when all is closed; with a text where it could not start. */
  async run(): Promise<string | undefined> {
    const admin = await this.#startAdmin();
    const grpc = await this.#startAdminGrpc();
    using _flushes = this.#flushStats();
    const error =
      [admin, grpc].find((each) => typeof each === "string") ??
      (await Promise.race([this.#initialize(), this.#ended.promise]));
    if (error === undefined && this.#lifecycle.phase === "live") await this.#ended.promise;
    if (typeof grpc !== "string") grpc?.[Symbol.dispose]();
    await this.#shutdown(typeof admin === "string" ? undefined : admin);
    return error ?? undefined;
  }

  /** By a signal: drains, then ends. A second one ends it at once, and so does the first before it serves. */
  terminate(signal: string): void {
    const { options, log } = this.#parts;
    const timeMs = options.shutdownDrainMs;
    if (this.#lifecycle.phase !== "live" || timeMs === 0) return this.end(`caught ${signal}`);
    log
      .loggerOf("main")
      .info(
        `caught ${signal}: draining for ${timeMs / 1000} s at most, a second one ends it at once`,
      );
    this.#lifecycle.become("ending");
    void this.#plane.shutdownDrain.run(timeMs).then(() => this.end("drained"));
  }

  /** Asks it to end, whatever it is doing; again: no-op. */
  end(reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#parts.log.loggerOf("main").info(`${reason}: shutting down server instance`);
    this.#ended.resolve();
  }

  /** SIGUSR1 and `/reopen_logs`. */
  reopenLogs(): void {
    const { log } = this.#parts;
    try {
      log.sink.reopen();
    } catch (error) {
      log.loggerOf("main").error(`cannot reopen the log: ${String(error)}`);
    }
    this.#pool.post({ kind: "reopenLogs" });
  }

  async #initialize(): Promise<string | undefined> {
    const { clock, log, options } = this.#parts;
    await this.#pool.ready;
    const error = await this.#initialization.run();
    if (error !== undefined) return error;
    if (options.mode === "init_only") {
      this.end("initialized, as asked");
      return undefined;
    }
    await this.#plane.listeners.startWorkers();
    this.#stats.recordInitialization(clock.now() - this.#startedMs);
    this.#lifecycle.become("live");
    log.loggerOf("main").info("starting main dispatch loop");
    return undefined;
  }

  async #shutdown(admin: AdminServer | undefined): Promise<void> {
    if (this.#lifecycle.phase !== "ending") this.#lifecycle.become("ending");
    const timedOut = Promise.withResolvers<void>();
    using _timer = this.#parts.clock.startTimer(shutdownMsMax, timedOut.resolve);
    this.#plane[Symbol.dispose]();
    this.#pool.shutdown();
    await Promise.race([Promise.all([admin?.close(), this.#pool.exited]), timedOut.promise]);
    this.#parts.log.loggerOf("main").info("exiting");
  }

  #startAdmin(): Promise<AdminServer | string | undefined> {
    const { options, log, loaded } = this.#parts;
    const { admin } = loaded.bootstrap;
    if (!admin) return Promise.resolve(undefined);
    const endpoints = adminEndpoints({
      state: () => this.#lifecycle.state,
      info: () => ({
        version: versionText(),
        state: this.#lifecycle.state,
        uptimeMs: this.#uptimeMs(),
        commandLineOptions: { ...optionsJson(options), concurrency: this.#concurrency },
        node: loaded.decoders.render("envoy.config.core.v3.Node", loaded.bootstrap.node.bytes),
      }),
      dump: {
        controlPlanes: () => this.#plane.sources.status(),
        unsupportedFields: () => loaded.decoders.warnings.view(),
        bootstrap: { bytes: loaded.bootstrap.bytes, loadedAtMs: this.#loadedAtMs },
        clusters: () => this.#plane.clusters.view(),
        listeners: () => this.#plane.listeners.view(),
        routes: () => this.#plane.routes.views(),
        secrets: () => this.#plane.secrets.views(),
        extensions: () => this.#plane.extensions.views(),
        scopedRoutes: () => this.#plane.scopedRoutes.views(),
        render: loaded.decoders.render,
      },
      drains: { desk: this.#plane.drains, clock: this.#parts.clock },
      plans: {
        list: loaded.decoders.writtenListeners,
        plan: (push) => this.#plane.listeners.plan(push),
      },
      setHealthCheckFailed: (failed) =>
        failed
          ? this.#plane.serverDrain.failHealthCheck()
          : this.#plane.serverDrain.passHealthCheck(),
      logLevels: log.control,
      store: this.#slabs.store,
      refreshStats: () => this.#refreshStats(),
      runtime: this.#plane.runtime,
      certificates: {
        certificates: () => this.#plane.tls.certificates(),
        wallTime: () => this.#parts.clock.wallTime(),
      },
      awaiting: () => this.#initialization.awaiting,
      memory: memoryUse,
      reopenLogs: () => this.reopenLogs(),
      quit: () => this.end("/quitquitquit"),
    });
    return startAdmin(endpoints, {
      config: admin,
      allowedHosts: options.adminAllowedHosts,
      addressPath: options.adminAddressPath,
      stats: this.#slabs.stats,
      log: log.loggerOf("main"),
    });
  }

  #startAdminGrpc(): Promise<AdminGrpcServer | string | undefined> {
    const { options, log, loaded } = this.#parts;
    return startAdminGrpc(
      {
        address: options.adminGrpcAddress,
        clientStatus: {
          protos: loaded.decoders.protos,
          node: loaded.bootstrap.node.bytes,
          source: {
            controlPlanes: () => this.#plane.sources.status(),
            clusters: () => this.#plane.clusters.view(),
            listeners: () => this.#plane.listeners.view(),
            routes: () => this.#plane.routes.views(),
            scopedRoutes: () => this.#plane.scopedRoutes.views(),
          },
        },
        drains: { desk: this.#plane.drains, clock: this.#parts.clock },
      },
      log.loggerOf("main"),
    );
  }

  /** Every `stats_flush_interval`, as Envoy. */
  #flushStats(): Disposable {
    const { clock, loaded } = this.#parts;
    let timer: Disposable;
    const flush = (): void => {
      this.#refreshStats();
      this.#slabs.store.flush();
      timer = clock.startTimer(loaded.bootstrap.statsFlushIntervalMs, flush);
    };
    flush();
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #refreshStats(): void {
    const { log, loaded } = this.#parts;
    const { allocated, heapSize, physical } = memoryUse();
    this.#plane.clusters.refreshGauges();
    this.#stats.refresh({
      uptimeMs: this.#uptimeMs(),
      allocatedBytes: allocated,
      heapBytes: heapSize,
      physicalBytes: physical,
      connections: openConnections(this.#limits, this.#concurrency),
      statBlocksRefused: this.#slabs.store.refusedCount,
      logLinesDropped: log.sink.droppedCount,
      unsupportedFields: loaded.decoders.warnings.count,
      daysUntilExpiry: this.#daysUntilExpiry(),
    });
  }

  /** Of the first certificate to expire; undefined: there is none. */
  #daysUntilExpiry(): number | undefined {
    const nowMs = this.#parts.clock.wallTime();
    const days = this.#plane.tls
      .certificates()
      .flat()
      .map(({ certificate }) => daysUntil(certificate.validToDate, nowMs));
    return days.length === 0 ? undefined : Math.min(...days);
  }

  #uptimeMs(): number {
    return this.#parts.clock.now() - this.#startedMs;
  }
}

function memoryUse() {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  return { allocated: heapUsed, heapSize: heapTotal, physical: rss };
}
