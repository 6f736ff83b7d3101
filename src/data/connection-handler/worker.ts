/**
 * One worker, from its init to its end, whatever thread it runs on: a thread of its own (`worker-main.ts`),
 * or the main thread with the node reactor. It is told by commands on its port and answers by events.
 */
import { type Clock, systemClock } from "../../shared/common/clock.ts";
import { type LoggerOf, createLoggers } from "../../shared/common/log.ts";
import { type Random, systemRandom } from "../../shared/common/random.ts";
import { createEpollReactor } from "../../shared/io/epoll-reactor.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import { StatSlab } from "../../shared/stats/slab.ts";
import { sluiceWorkerStats } from "../../shared/stats/stat-names.ts";
import { AccessLogSinks } from "../http/access-log/access-loggers.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { WorkerClusterTable } from "../upstream/worker-cluster-table.ts";
import { ConnectionHandler } from "./connection-handler.ts";
import { WorkerRouteTable } from "./route-table.ts";

/** The worker's end of a channel: a `MessagePort`, or something that behaves like one. */
export interface WorkerPort {
  postMessage(event: WorkerEvent): void;
  on(event: "message", handle: (command: WorkerCommand) => void): unknown;
  close(): void;
}

export interface WorkerOverrides {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Instead of the one that `init.reactor` names. */
  readonly createReactor?: (options: ReactorParts) => Reactor;
}

export interface ReactorParts {
  readonly arenaBytesMax: number;
  readonly onBug: (error: unknown) => void;
  readonly onArenaFull: () => void;
}

export interface RunningWorker extends Disposable {
  /** Writes out what is buffered for access logs. */
  flush(): void;
}

const bugs = sluiceWorkerStats.offset("connection_bugs");
const arenaExhausted = sluiceWorkerStats.offset("arena_exhausted");

/**
 * Says `ready` before it returns. The worker ends by the command `shutdown`, or by disposing: either way
 * every connection is closed, and `exited` is the last event.
 */
export function startWorker(
  init: WorkerInit,
  port: WorkerPort,
  overrides: WorkerOverrides = {},
): RunningWorker {
  const slab = new StatSlab(init.slab);
  const loggerOf = workerLoggers(init, port, overrides.clock ?? systemClock);
  const onBug = (error: unknown): void => {
    slab.add(init.slots.sluice, bugs);
    loggerOf("connection").error(`bug, ended one connection: ${describe(error)}`);
  };
  const onArenaFull = (): void => slab.add(init.slots.sluice, arenaExhausted);
  const reactor = (overrides.createReactor ?? createReactorOf(init))({
    arenaBytesMax: init.arenaBytesMax,
    onBug,
    onArenaFull,
  });
  const parts = assemble({ init, slab, loggerOf, reactor, overrides });
  const post = (event: WorkerEvent): void => port.postMessage(event);
  const handler = new ConnectionHandler({ ...parts, post, onBug });

  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    handler[Symbol.dispose]();
    reactor[Symbol.dispose]();
    parts.sinks[Symbol.dispose]();
    post({ kind: "exited" });
    port.close();
  };
  port.on("message", (command) => {
    if (hasEnded) return;
    if (command.kind === "shutdown") end();
    else handler.handle(command);
  });
  post({ kind: "ready" });
  return { flush: () => parts.sinks.flush(), [Symbol.dispose]: end };
}

interface Foundation {
  readonly init: WorkerInit;
  readonly slab: StatSlab;
  readonly loggerOf: LoggerOf;
  readonly reactor: Reactor;
  readonly overrides: WorkerOverrides;
}

function assemble({ init, slab, loggerOf, reactor, overrides }: Foundation) {
  const limits = new Int32Array(init.limits);
  const random = overrides.random ?? systemRandom;
  const clusters = new WorkerClusterTable({ slab, limits, random });
  const routes = new WorkerRouteTable();
  const worker: WorkerContext = {
    init,
    reactor,
    slab,
    limits,
    clock: overrides.clock ?? systemClock,
    random,
    loggerOf,
    clusters,
    routes,
    createAccessLogger: (configs) => sinks.createLogger(configs),
  };
  const sinks = new AccessLogSinks(worker);
  return { worker, clusters, routes, sinks };
}

function createReactorOf(init: WorkerInit): (parts: ReactorParts) => Reactor {
  switch (init.reactor) {
    case "epoll":
      return createEpollReactor;
    case "node":
      throw new Error("bug: the node reactor is not in this build");
    default:
      return init.reactor satisfies never;
  }
}

function workerLoggers(init: WorkerInit, port: WorkerPort, clock: Clock): LoggerOf {
  return createLoggers(
    new Int32Array(init.logLevels),
    String(init.index),
    (record) => port.postMessage({ kind: "log", record }),
    () => clock.wallTime(),
  );
}

/** With the stack: a bug is the one thing whose place matters. */
function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
