/**
 * The data plane as `main.ts` hands it to the server: how to start a worker, and who opens listening
 * sockets. `epoll`: every worker is a thread. `node`: one worker, on the main thread, over net.Socket.
 */
import { flushCompileCache } from "node:module";
import { MessageChannel, Worker } from "node:worker_threads";
import type { ListenSockets } from "../../shared/io/listen-sockets.ts";
import { Outbox } from "../../shared/protocol/outbox.ts";
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import { type WorkerInit, limitLayout } from "../../shared/protocol/worker-init.ts";
import { loadHttpFilters } from "../../shared/http-filter/load-filters.ts";
import { startWorker } from "./worker.ts";

export interface SpawnedWorker {
  post(command: WorkerCommand): void;
  terminate(): void;
}

export interface SpawnedWorkerHandler {
  onEvent(event: WorkerEvent): void;
  onExit(reason: string): void;
}

export interface DataPlane {
  readonly reactor: WorkerInit["reactor"];
  readonly workersMax: number;
  readonly spawn: (init: WorkerInit, handler: SpawnedWorkerHandler) => SpawnedWorker;
  readonly listenSockets: ListenSockets;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** Modules of a reactor are loaded only where it is wanted: FFI is not there on every machine. */
export async function createDataPlane(reactor: WorkerInit["reactor"]): Promise<DataPlane> {
  switch (reactor) {
    case "epoll": {
      const sockets = await import("../../shared/io/epoll-listen-sockets.ts");
      const { exitNow } = await import("../../shared/io/exit-now.ts");
      return {
        reactor,
        workersMax: limitLayout.workersMax,
        spawn: spawnThread,
        listenSockets: sockets.createEpollListenSockets(),
        exit: (code) => leave(code, exitNow),
      };
    }
    case "node":
      return createNodeDataPlane();
    default:
      return reactor satisfies never;
  }
}

function spawnThread(init: WorkerInit, handler: SpawnedWorkerHandler): SpawnedWorker {
  // `.ts` in a checkout, `.js` in the package.
  const entry = new URL(`worker-main${import.meta.url.slice(-3)}`, import.meta.url);
  const thread = new Worker(entry, {
    workerData: init,
    transferList: init.peers.filter((port) => port !== undefined),
    name: `worker ${init.index}`,
  });
  let failure: string | undefined;
  thread.on("message", (events: readonly WorkerEvent[]) => {
    for (const event of events) handler.onEvent(event);
  });
  thread.on("error", (error) => {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  });
  thread.on("exit", (code) => handler.onExit(failure ?? `exit code ${code}`));
  const outbox = new Outbox<WorkerCommand>((commands) => thread.postMessage(commands));
  return {
    post: (command) => outbox.post(command),
    terminate: () => void thread.terminate(),
  };
}

async function createNodeDataPlane(): Promise<DataPlane> {
  const { NodeListenSockets } = await import("../../shared/io/node-listen-sockets.ts");
  const { createNodeReactor } = await import("../../shared/io/node-reactor.ts");
  const listenSockets = new NodeListenSockets();
  const spawn = (init: WorkerInit, handler: SpawnedWorkerHandler): SpawnedWorker => {
    const { port1: ours, port2: theirs } = new MessageChannel();
    // What main has loaded already: it takes no time, but a promise.
    const started = loadHttpFilters(init.httpFilterFiles).then((httpFilters) =>
      startWorker(init, theirs, {
        createReactor: (options) => createNodeReactor(options, listenSockets),
        httpFilters,
      }),
    );
    started.catch((error: unknown) => handler.onExit(String(error)));
    ours.on("message", (events: readonly WorkerEvent[]) => {
      for (const event of events) handler.onEvent(event);
    });
    ours.on("close", () => handler.onExit("closed its port"));
    const outbox = new Outbox<WorkerCommand>((commands) => ours.postMessage(commands));
    return {
      post: (command) => outbox.post(command),
      terminate: () => void started.then((worker) => worker[Symbol.dispose]()),
    };
  };
  const exit = (code: number): never => process.exit(code);
  return { reactor: "node", workersMax: 1, spawn, listenSockets, exit };
}

/**
 * Without exit handlers, which may crash or hang while FFI is in use (`exit-now.ts`), unless they write
 * what somebody asked for: profiles and coverage.
 */
function leave(code: number, exitNow: (code: number) => void): never {
  const isProfiled = process.execArgv.some((flag) => /^--(?:cpu-prof|heap-prof|prof)/.test(flag));
  if (!isProfiled && process.env["NODE_V8_COVERAGE"] === undefined) {
    flushCompileCache();
    exitNow(code);
  }
  process.exit(code);
}
