/**
 * The process, from a decoded bootstrap to its end: the one place that constructs (Envoy: `InstanceBase`).
 *
 *     admin ─▶ workers ─▶ clusters ─▶ listeners ─▶ serving ─▶ end
 *
 * The admin is up first, so that a start-up that waits can be asked what it waits for.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { ServiceManager } from "../../shared/common/service-manager.ts";
import type { Random } from "../../shared/common/random.ts";
import type { AdminGrpcServer } from "../admin/admin-grpc-server.ts";
import { daysUntil } from "../admin/certs-endpoint.ts";
import type { AdminServer } from "../admin/admin-server.ts";
import { noOverloadSlots } from "../../shared/protocol/overload.ts";
import { Pulse } from "../../shared/protocol/pulse.ts";
import { dispatcherStats } from "../../shared/stats/stat-names.ts";
import { OverloadManager } from "../overload/overload-manager.ts";
import { OverloadStats } from "../overload/overload-stats.ts";
import { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import { adminEndpoints, startAdmin, startAdminGrpc } from "./admin-setup.ts";
import type { LoadedBootstrap } from "./config-decoders.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";
import type { DataPlane } from "./data-plane.ts";
import type { DieOf } from "./fatal.ts";
import { GuardDog, killMsOf, pulseMsOf } from "./guard-dog.ts";
import type { Handover } from "../hot-restart/handover/handover.ts";
import type { HotRestart } from "../hot-restart/hot-restart.ts";
import { hotRestartVersionText } from "../hot-restart/version.ts";
import { Generations, type SocketOrigins } from "./generations.ts";
import { Initialization } from "./initialization.ts";
import type { ServerLog } from "./log-setup.ts";
import { optionsJson } from "./options-json.ts";
import type { ServerOptions } from "./options.ts";
import { watchMain } from "./main-watch-thread.ts";
import type { SocketActivation } from "./socket-activation.ts";
import { ServerLifecycle } from "./server-phase.ts";
import { ServerStats } from "./server-stats.ts";
import { SuccessorDuties } from "./successor-duties.ts";
import { TakeOverGate } from "./take-over-gate.ts";
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
  /** Undefined: there is no other generation. */
  readonly hotRestart: HotRestart | undefined;
  /** Undefined: nobody takes over by a directory. */
  readonly handover: Handover | undefined;
  /** Undefined: no service manager has opened sockets. */
  readonly activation: SocketActivation | undefined;
  /** Undefined: nobody wants to be told how far it is. */
  readonly service: ServiceManager | undefined;
}

export type ServerEnd =
  | { readonly kind: "clean" }
  /** It could not start. */
  | { readonly kind: "refused"; readonly error: string }
  /** A bug; said in the log already. The other workers have drained. */
  | { readonly kind: "workerLost" };

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
  readonly #guardDog: GuardDog;
  readonly #overloadManager: OverloadManager | undefined;
  readonly #plane: ControlPlane;
  readonly #gate: TakeOverGate;
  readonly #initialization: Initialization;
  readonly #generations: Generations;
  readonly #duties: SuccessorDuties;
  #admin: AdminServer | undefined;
  #adminGrpc: AdminGrpcServer | undefined;
  readonly #ended = Promise.withResolvers<void>();
  readonly #lostWorkers = new Set<number>();
  #isEnding = false;

  constructor(parts: ServerParts) {
    const { options, dataPlane, loaded, clock, log } = parts;
    this.#parts = parts;
    this.#startedMs = clock.now();
    this.#loadedAtMs = clock.wallTime();
    this.#concurrency = Math.min(options.concurrency, dataPlane.workersMax);
    const main = log.loggerOf("main");
    if (this.#concurrency < options.concurrency)
      main.warning(`the ${dataPlane.reactor} reactor has ${this.#concurrency} worker at most`);
    this.#slabs = createSlabs(this.#concurrency);
    this.#stats = new ServerStats(this.#slabs.stats, this.#concurrency);
    this.#lifecycle = new ServerLifecycle((lifecycle) => this.#stats.setState(lifecycle));
    this.#stats.setState(this.#lifecycle);
    const { overload } = loaded.bootstrap;
    const overloadStats = overload && new OverloadStats(this.#slabs.stats, overload);
    this.#pool = startWorkers({
      dataPlane,
      options,
      log,
      concurrency: this.#concurrency,
      slabs: this.#slabs,
      limits: this.#limits,
      bootstrap: loaded.bootstrap,
      overload: overloadStats?.slots ?? noOverloadSlots,
      onLost: (worker, reason) => this.#loseWorker(worker, reason),
    });
    this.#guardDog = new GuardDog({
      configs: loaded.bootstrap.watchdogs,
      concurrency: this.#concurrency,
      limits: this.#limits,
      stats: this.#slabs.stats,
      clock,
      random: parts.random,
      onStuck: (worker, why) => this.#pool.abandon(worker, why),
    });
    this.#overloadManager = overloadStats && this.#createOverloadManager(overloadStats);
    const origins = originsOf(parts);
    this.#gate = new TakeOverGate({ transfer: origins.transfer, clock, log: main });
    this.#plane = createControlPlane({
      ...parts,
      bootstrap: loaded.bootstrap,
      decoders: loaded.decoders,
      pool: this.#pool,
      limits: this.#limits,
      slabs: this.#slabs,
      listenSockets: dataPlane.listenSockets,
      origins,
      gate: this.#gate,
      reactor: dataPlane.reactor,
      lifecycle: this.#lifecycle,
      loggerOf: log.loggerOf,
    });
    this.#generations = new Generations(parts, this.#slabs, this.#stats);
    this.#duties = this.#createDuties();
    this.#initialization = new Initialization({
      plane: this.#plane,
      bootstrap: loaded.bootstrap,
      decoders: loaded.decoders,
      lifecycle: this.#lifecycle,
      gate: this.#gate,
      log: main,
    });
  }

  /** Serves until `end`. Resolves when all is closed. */
  async run(): Promise<ServerEnd> {
    // Another process has it until this one serves.
    const refused = this.#generations.hasParent ? undefined : await this.#openAdmin();
    using _flushes = this.#flushStats();
    using _pulse = this.#startPulse();
    using _guardDog = this.#guardDog;
    using _overload = this.#overloadManager;
    using _gate = this.#gate;
    const error =
      refused ??
      (await Promise.race([this.#initialize(), this.#gate.whenLate, this.#ended.promise]));
    if (error === undefined && this.#lifecycle.phase === "live") await this.#ended.promise;
    await this.#shutdown();
    if (typeof error === "string") return { kind: "refused", error };
    return this.#lostWorkers.size > 0 ? { kind: "workerLost" } : { kind: "clean" };
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
    this.#drainThenEnd();
  }

  /** Asks it to end, whatever it is doing; again: no-op. */
  end(reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#tellStopping("ending");
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
    this.#guardDog.start();
    this.#overloadManager?.start();
    if (this.#isEnding) return undefined;
    const error = await this.#initialization.run();
    if (error !== undefined || this.#isEnding) return error;
    if (options.mode === "init_only") {
      this.end("initialized, as asked");
      return undefined;
    }
    await this.#plane.listeners.startWorkers();
    // Asked to end meanwhile: what was asked to end does not go live.
    if (this.#isEnding) return undefined;
    this.#stats.recordInitialization(clock.now() - this.#startedMs);
    this.#lifecycle.become("live");
    log.loggerOf("main").info("starting main dispatch loop");
    return await this.#joinGenerations();
  }

  /** Takes over from the one before, if there is one, and is there for the one after. */
  async #joinGenerations(): Promise<string | undefined> {
    const refused = await this.#generations.succeed(() => this.#openAdmin(), this.#plane);
    if (refused !== undefined) return refused;
    this.#gate.open();
    const { activation, service } = this.#parts;
    activation?.closeUnwanted();
    service?.notify("ready", "serving");
    this.#generations.awaitSuccessor(this.#duties);
    return undefined;
  }

  /** Where another process serves by now, the service does not stop. */
  #tellStopping(status: string): void {
    if (!this.#duties.isSucceeded) this.#parts.service?.notify("stopping", status);
  }

  #createOverloadManager(stats: OverloadStats): OverloadManager | undefined {
    const { clock, loaded } = this.#parts;
    const { overload: config } = loaded.bootstrap;
    if (!config) return undefined;
    const common = { config, limits: this.#limits, pool: this.#pool, stats, clock };
    return new OverloadManager({ ...common, residentBytes: () => process.memoryUsage.rss() });
  }

  #createDuties(): SuccessorDuties {
    const { clock, log, options, service } = this.#parts;
    return new SuccessorDuties({
      service,
      plane: this.#plane,
      clock,
      log: log.loggerOf("main"),
      handoverDrainMs: options.handover?.drainMs ?? 0,
      figures: () => ({
        allocatedBytes: memoryUse().allocated,
        connections: openConnections(this.#limits, this.#concurrency),
      }),
      reportTo: (...report) => this.#generations.reportTo(...report),
      admin: () => this.#admin,
      openAdmin: () => this.#openAdmin(),
      closeAdmin: () => this.#closeAdmin(),
      isEnding: () => this.#isEnding,
      end: (reason) => this.end(reason),
    });
  }

  #drainThenEnd(): void {
    if (this.#lifecycle.phase !== "live") return;
    this.#lifecycle.become("ending");
    this.#tellStopping("draining");
    void this.#plane.shutdownDrain
      .run(this.#parts.options.shutdownDrainMs)
      .then(() => this.#duties.settled())
      .then(() => this.end("drained"));
  }

  /** It died or hangs, and its connections are lost. The others drain and the process ends: it never limps. */
  #loseWorker(worker: number, reason: string): void {
    const { die, log, options } = this.#parts;
    this.#lostWorkers.add(worker);
    this.#guardDog.forget(worker);
    const what = `worker ${worker} is lost: ${reason}`;
    const { phase } = this.#lifecycle;
    const mayDrain = options.shutdownDrainMs > 0 && this.#lostWorkers.size < this.#concurrency;
    if (!mayDrain || phase === "preInitializing" || phase === "initializing") die(what);
    log.loggerOf("main").critical(`${what}; the others drain, then the process ends`);
    if (phase === "live") this.#drainThenEnd();
  }

  /** Main's sign of life, and who ends the process when there is none any more: a thread, only if that was asked for. */
  #startPulse(): Disposable | undefined {
    const { clock, random, loaded } = this.#parts;
    const { watchdogs, dispatcherStats: isMeasured } = loaded.bootstrap;
    const { allocator, slab } = this.#slabs.stats;
    const killMs = killMsOf(watchdogs.main, random);
    if (killMs > 0) watchMain({ limits: this.#limits.buffer, config: watchdogs.main, killMs });
    // The guard dog runs on main: it needs no sign of main's.
    else if (!isMeasured) return undefined;
    return new Pulse({
      clock,
      limits: new Int32Array(this.#limits.buffer),
      worker: undefined,
      everyMs: pulseMsOf(watchdogs.main),
      slab,
      dispatcher: isMeasured
        ? allocator.allocate(dispatcherStats, "server.dispatcher.")
        : undefined,
    });
  }

  async #shutdown(): Promise<void> {
    if (this.#lifecycle.phase !== "ending") this.#lifecycle.become("ending");
    const timedOut = Promise.withResolvers<void>();
    using _timer = this.#parts.clock.startTimer(shutdownMsMax, timedOut.resolve);
    this.#plane[Symbol.dispose]();
    this.#pool.shutdown();
    await Promise.race([Promise.all([this.#closeAdmin(), this.#pool.exited]), timedOut.promise]);
    this.#parts.log.loggerOf("main").info("exiting");
  }

  /** Why it cannot be opened; undefined: it is, as far as one is configured. */
  async #openAdmin(): Promise<string | undefined> {
    if (this.#admin) return undefined;
    const admin = await this.#startAdmin();
    if (typeof admin === "string") return admin;
    this.#admin = admin;
    const grpc = await this.#startAdminGrpc();
    if (typeof grpc === "string") return grpc;
    this.#adminGrpc = grpc;
    return undefined;
  }

  async #closeAdmin(): Promise<void> {
    this.#adminGrpc?.[Symbol.dispose]();
    this.#adminGrpc = undefined;
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.close();
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
        allEpochsMs: this.#parts.clock.wallTime() - this.#generations.firstStartMs,
        hotRestartVersion: options.hotRestart ? hotRestartVersionText : "disabled",
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
      takeSocket: (address) => this.#generations.takeAdminSocket(address),
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

function originsOf({ activation, hotRestart, handover }: ServerParts): SocketOrigins {
  return { activation, transfer: hotRestart ?? handover };
}

function memoryUse() {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  return { allocated: heapUsed, heapSize: heapTotal, physical: rss };
}
