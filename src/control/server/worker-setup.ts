/** The workers: how many, what each is born with, and what becomes of what they say beside the managers' business. */
import { assert } from "../../shared/common/assert.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { createSlab, StatSlab } from "../../shared/stats/slab.ts";
import { dispatcherStats, sluiceWorkerStats } from "../../shared/stats/stat-names.ts";
import { StatStore } from "../../shared/stats/stat-store.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { OverloadSlots } from "../overload/overload-stats.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import { WorkerPool } from "../workers/worker-pool.ts";
import type { DataPlane } from "./data-plane.ts";
import { pulseMsOf } from "./guard-dog.ts";
import type { ServerLog } from "./log-setup.ts";
import type { ServerOptions } from "./options.ts";

/** Queued bytes of one worker at most; beyond it new connections are refused. */
const arenaBytesMax = 1024 * 1024 * 1024;

export interface ServerSlabs {
  readonly store: StatStore;
  readonly stats: MainStats;
  /** One a worker. */
  readonly workers: readonly SharedArrayBuffer[];
}

/** One slab for main and one for each worker, before anything is counted. */
export function createSlabs(concurrency: number): ServerSlabs {
  const main = createSlab();
  const workers = Array.from({ length: concurrency }, () => createSlab());
  const store = new StatStore([main, ...workers]);
  return { store, stats: { allocator: store, slab: new StatSlab(main) }, workers };
}

export interface WorkerSetup {
  readonly dataPlane: DataPlane;
  readonly options: ServerOptions;
  readonly concurrency: number;
  readonly slabs: ServerSlabs;
  readonly limits: SharedLimits;
  readonly log: ServerLog;
  readonly bootstrap: Pick<BootstrapConfig, "watchdogs" | "dispatcherStats">;
  readonly overload: OverloadSlots;
  /** One died or hangs; its connections are lost. */
  readonly onLost: (worker: number, reason: string) => void;
}

/** Spawns them. */
export function startWorkers(setup: WorkerSetup): WorkerPool {
  const { dataPlane, options, slabs, log, bootstrap } = setup;
  const accessLogBytes = setup.limits.allocate(setup.concurrency);
  assert(accessLogBytes !== undefined, "nothing has taken the shared limits yet");
  const pool = new WorkerPool({
    concurrency: setup.concurrency,
    spawn: dataPlane.spawn,
    init: (index) => ({
      reactor: dataPlane.reactor,
      slab: slabs.workers[index] as SharedArrayBuffer,
      limits: setup.limits.buffer,
      logLevels: log.levels,
      slots: {
        sluice: slabs.store.allocate(sluiceWorkerStats, "sluice.worker."),
        dispatcher: bootstrap.dispatcherStats
          ? slabs.store.allocate(dispatcherStats, `listener_manager.worker_${index}.dispatcher.`)
          : undefined,
        overload: setup.overload,
      },
      pulseMs: pulseMsOf(bootstrap.watchdogs.workers),
      arenaBytesMax,
      fileFlushIntervalMs: options.fileFlushIntervalMs,
      fileFlushMinBytes: options.fileFlushMinBytes,
      accessLogBytes: accessLogBytes + index,
      httpFilterFiles: options.httpFilterFiles,
    }),
  });
  pool.subscribe({
    onEvent(worker, event) {
      if (event.kind === "log") log.sink.write(event.record);
      // Main has it now, and has bounds of its own for it.
      else if (event.kind === "accessLogEntries")
        setup.limits.subtract(accessLogBytes + worker, event.batch.bytes);
    },
    onExit(worker, reason, expected) {
      if (!expected) setup.onLost(worker, reason);
    },
  });
  return pool;
}

/** Connections of all workers: the first places of the shared limits. */
export function openConnections(limits: SharedLimits, concurrency: number): number {
  let sum = 0;
  for (let worker = 0; worker < concurrency; worker++) sum += limits.read(worker);
  return sum;
}
