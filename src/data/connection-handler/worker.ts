/**
 * One worker, from its init to its end, whatever thread it runs on: a thread of its own (`worker-thread.ts`),
 * or the main thread with the node reactor. It is told by commands on its port and answers by events.
 */
import { type Clock, systemClock } from "../../shared/common/clock.ts";
import { collectGarbage } from "../../shared/common/collect-garbage.ts";
import { type LoggerOf, createLoggers } from "../../shared/common/log.ts";
import { type Random, systemRandom } from "../../shared/common/random.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import { type HttpFilterModules, noFilterModules } from "../../shared/http-filter/load-filters.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { ReactorOptions } from "../../shared/io/reactor-options.ts";
import { Outbox } from "../../shared/protocol/outbox.ts";
import { Pulse } from "../../shared/protocol/pulse.ts";
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import { StatSlab } from "../../shared/stats/slab.ts";
import { sluiceWorkerStats } from "../../shared/stats/stat-names.ts";
import { AccessLogSinks } from "../http/access-log/access-loggers.ts";
import { WorkerTls } from "../network/tls-contexts.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { WorkerClusterTable } from "../upstream/worker-cluster-table.ts";
import { WorkerRuntime } from "../upstream/worker-runtime.ts";
import { ConnectionHandler } from "./connection-handler.ts";
import { FilterVersions } from "./filter-versions.ts";
import { NamedTable } from "./named-table.ts";
import { OnDemandWaits } from "./on-demand-waits.ts";
import { WorkerRouteTable } from "./route-table.ts";
import { WorkerScopeTable } from "./scope-table.ts";

/** The worker's end of a channel: a `MessagePort`, or something that behaves like one. */
export interface WorkerPort {
  postMessage(events: readonly WorkerEvent[]): void;
  on(event: "message", handle: (commands: readonly WorkerCommand[]) => void): unknown;
  close(): void;
}

export interface WorkerParts {
  /** The one that `init.reactor` names. Passed in, because its files load only where they can run. */
  readonly createReactor: (options: ReactorOptions) => Reactor;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly httpFilters?: HttpFilterModules;
}

export interface RunningWorker extends Disposable {
  /** Writes out what is buffered for access logs. */
  flush(): void;
}

const bugs = sluiceWorkerStats.offset("connection_bugs");
const onDemandOverflow = sluiceWorkerStats.offset("on_demand_overflow");
const onDemandWaiting = sluiceWorkerStats.offset("on_demand_waiting");
const originalDstOverflow = sluiceWorkerStats.offset("original_dst_hosts_overflow");
const grpcMethodsOverflow = sluiceWorkerStats.offset("grpc_methods_overflow");
const arenaExhausted = sluiceWorkerStats.offset("arena_exhausted");

/**
 * Says `ready` before it returns. The worker ends by the command `shutdown`, or by disposing: either way
 * every connection is closed, and `exited` is the last event.
 */
export function startWorker(init: WorkerInit, port: WorkerPort, parts: WorkerParts): RunningWorker {
  const slab = new StatSlab(init.slab);
  const clock = parts.clock ?? systemClock;
  const outbox = new Outbox<WorkerEvent>((events) => port.postMessage(events));
  const post = (event: WorkerEvent): void => outbox.post(event);
  const loggerOf = workerLoggers(init, post, clock);
  const onBug = (error: unknown): void => {
    slab.add(init.slots.sluice, bugs);
    loggerOf("connection").error(`bug, ended one connection: ${describe(error)}`);
  };
  const onArenaFull = (): void => slab.add(init.slots.sluice, arenaExhausted);
  const { arenaBytesMax } = init;
  const reactor = parts.createReactor({ arenaBytesMax, onBug, onArenaFull });
  const random = parts.random ?? systemRandom;
  const httpFilters = parts.httpFilters ?? noFilterModules;
  const assembled = assemble({ httpFilters, init, slab, loggerOf, reactor, clock, random, post });
  const handler = new ConnectionHandler({ ...assembled, post, onBug });

  const pulse = new Pulse({
    clock,
    limits: new Int32Array(init.limits),
    worker: init.index,
    everyMs: init.pulseMs,
    slab,
    dispatcher: init.slots.dispatcher,
  });
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    pulse[Symbol.dispose]();
    handler[Symbol.dispose]();
    assembled.tls[Symbol.dispose]();
    reactor[Symbol.dispose]();
    assembled.sinks[Symbol.dispose]();
    post({ kind: "exited" });
    outbox.flush();
    port.close();
  };
  const carryOut = (command: WorkerCommand): void => {
    if (hasEnded) return;
    if (command.kind === "shutdown") end();
    else if (command.kind === "reopenLogs") assembled.sinks.reopen();
    else if (command.kind === "shrinkHeap") collectGarbage();
    else handler.handle(command);
  };
  port.on("message", (commands) => {
    for (const command of commands) carryOut(command);
  });
  post({ kind: "ready" });
  return { flush: () => assembled.sinks.flush(), [Symbol.dispose]: end };
}

interface Foundation {
  readonly httpFilters: HttpFilterModules;
  readonly init: WorkerInit;
  readonly slab: StatSlab;
  readonly loggerOf: LoggerOf;
  readonly reactor: Reactor;
  readonly clock: Clock;
  readonly random: Random;
  readonly post: (event: WorkerEvent) => void;
}

function assemble({ post, ...foundation }: Foundation) {
  const { init, slab, random } = foundation;
  const { sluice } = init.slots;
  const limits = new Int32Array(init.limits);
  const runtime = new WorkerRuntime();
  const clusters = new WorkerClusterTable({
    slab,
    limits,
    random,
    runtime,
    timers: foundation.reactor.timers,
    onHostsFull: () => slab.add(sluice, originalDstOverflow),
    wantGrpcStats: (cluster, prefix) => post({ kind: "grpcStatsWanted", cluster, prefix }),
    onGrpcNamesFull: () => slab.add(sluice, grpcMethodsOverflow),
  });
  const routes = new WorkerRouteTable();
  const scopes = new WorkerScopeTable();
  const secrets = new NamedTable<string>();
  const tls = new WorkerTls(foundation.reactor, foundation.loggerOf("connection"));
  const filterConfigs = new NamedTable<PlainHttpFilterConfig>();
  const networkFilters = new FilterVersions();
  const onDemand = new OnDemandWaits({
    post,
    countOverflow: () => slab.add(sluice, onDemandOverflow),
    setWaiting: (count) => slab.set(sluice, onDemandWaiting, count),
  });
  const worker: WorkerContext = {
    ...foundation,
    limits,
    runtime,
    clusters,
    routes,
    scopes,
    onDemand,
    secrets,
    tls,
    filterConfigs,
    networkFilters,
    createAccessLogger: (configs, type) => sinks.createLogger(configs, type),
  };
  const sinks = new AccessLogSinks(worker, (batch) => post({ kind: "accessLogEntries", batch }));
  const tables = { clusters, routes, scopes, secrets, tls, filterConfigs, networkFilters };
  return { worker, runtime, onDemand, ...tables, sinks };
}

function workerLoggers(
  init: WorkerInit,
  post: (event: WorkerEvent) => void,
  clock: Clock,
): LoggerOf {
  return createLoggers(
    new Int32Array(init.logLevels),
    String(init.index),
    (record) => post({ kind: "log", record }),
    () => clock.wallTime(),
  );
}

/** With the stack: a bug is the one thing whose place matters. */
function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
