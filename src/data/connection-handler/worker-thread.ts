/**
 * What runs in a worker thread: `workerData` is its `WorkerInit`, the parent's port carries commands and events.
 *
 * What is thrown outside a connection leaves the worker in an unknown state. Then it says why, writes out
 * what it holds, cuts its connections and ends with code 1; main drains the others and ends the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../shared/common/assert.ts";
import { systemClock } from "../../shared/common/clock.ts";
import { createEpollReactor } from "../../shared/io/epoll-reactor.ts";
import { loadHttpFilters } from "../../shared/http-filter/load-filters.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import { startWorker } from "./worker.ts";

/** For access logs to reach their files; the process must be gone within two seconds. */
const flushGraceMs = 500;

assert(parentPort, "this file is a worker's entry");
const port = parentPort;
const init = workerData as WorkerInit;
assert(init.reactor === "epoll", "the node reactor runs on the main thread, with its sockets");
const httpFilters = await loadHttpFilters(init.httpFilterFiles);
const worker = startWorker(init, port, { createReactor: createEpollReactor, httpFilters });

let isDying = false;

function die(error: unknown): void {
  if (isDying) return;
  isDying = true;
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const log: WorkerEvent = {
    kind: "log",
    record: {
      level: "critical",
      component: "main",
      message: `worker ${init.index} failed: ${message}`,
      timeMs: systemClock.wallTime(),
      thread: String(init.index),
    },
  };
  port.postMessage([log]);
  worker.flush();
  // Its clients are to know at once, and to be counted no more, while the other workers drain.
  try {
    worker[Symbol.dispose]();
  } catch {
    // In an unknown state already: the process ends soon, and closes what is left.
  }
  systemClock.startTimer(flushGraceMs, () => process.exit(1));
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);
