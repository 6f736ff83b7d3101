/**
 * `server.*`: what main counts about the process itself. What changes by itself (memory, uptime) is set at
 * each flush, as in Envoy; state is set when it changes.
 */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { ServerLifecycle } from "./server-phase.ts";

const serverStats = defineStats({
  gauges: [
    "state",
    "live",
    "uptime",
    "concurrency",
    "memory_allocated",
    "memory_heap_size",
    "memory_physical_size",
    "hot_restart_epoch",
    "hot_restart_generation",
    "parent_connections",
    "total_connections",
    "days_until_first_cert_expiring",
  ],
  histograms: ["initialization_time_ms"],
});

/** `sluice.`: bounds that were hit on main. */
const mainStats = defineStats({
  gauges: ["stats.blocks_refused", "log.lines_dropped", "config.unsupported_fields"],
});

/** What came with the sockets of the process before. */
const hotRestartStats = defineStats({ counters: ["connections_moved"] });

/** Envoy's value where there is no certificate. */
const noCertificate = 2 ** 32 - 1;

export interface ProcessFigures {
  readonly uptimeMs: number;
  readonly allocatedBytes: number;
  readonly heapBytes: number;
  readonly physicalBytes: number;
  readonly connections: number;
  readonly statBlocksRefused: number;
  readonly logLinesDropped: number;
  readonly unsupportedFields: number;
  /** Undefined: there is no certificate. */
  readonly daysUntilExpiry: number | undefined;
}

export class ServerStats {
  readonly #stats: MainStats;
  readonly #server: number;
  readonly #main: number;
  readonly #hotRestart: number;

  constructor(stats: MainStats, concurrency: number) {
    this.#stats = stats;
    this.#server = stats.allocator.allocate(serverStats, "server.");
    this.#hotRestart = stats.allocator.allocate(hotRestartStats, "hot_restart.");
    this.#main = stats.allocator.allocate(mainStats, "sluice.");
    this.#set("concurrency", concurrency);
    this.#set("days_until_first_cert_expiring", noCertificate);
  }

  setState(lifecycle: ServerLifecycle): void {
    this.#set("state", lifecycle.stateNumber);
    this.#set("live", lifecycle.state === "LIVE" ? 1 : 0);
  }

  setGeneration({
    epoch,
    generation,
  }: {
    readonly epoch: number;
    readonly generation: number;
  }): void {
    this.#set("hot_restart_epoch", epoch);
    this.#set("hot_restart_generation", generation);
  }

  /** From the process before. */
  countMovedConnections(count: number): void {
    this.#stats.slab.add(this.#hotRestart, hotRestartStats.offset("connections_moved"), count);
  }

  /** Of the generation before, while it drains. */
  setParentConnections(count: number): void {
    this.#set("parent_connections", count);
  }

  recordInitialization(durationMs: number): void {
    const offset = serverStats.offset("initialization_time_ms");
    this.#stats.slab.record(this.#server, offset, durationMs);
  }

  refresh(figures: ProcessFigures): void {
    this.#set("uptime", Math.floor(figures.uptimeMs / 1000));
    this.#set("memory_allocated", figures.allocatedBytes);
    this.#set("memory_heap_size", figures.heapBytes);
    this.#set("memory_physical_size", figures.physicalBytes);
    this.#set("total_connections", figures.connections);
    this.#set("days_until_first_cert_expiring", figures.daysUntilExpiry ?? noCertificate);
    const { slab } = this.#stats;
    slab.set(this.#main, mainStats.offset("stats.blocks_refused"), figures.statBlocksRefused);
    slab.set(this.#main, mainStats.offset("log.lines_dropped"), figures.logLinesDropped);
    slab.set(this.#main, mainStats.offset("config.unsupported_fields"), figures.unsupportedFields);
  }

  #set(name: Parameters<typeof serverStats.offset>[0], value: number): void {
    this.#stats.slab.set(this.#server, serverStats.offset(name), value);
  }
}
