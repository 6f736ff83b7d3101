/**
 * What the pool needs of a worker, whatever runs it: a thread, the main thread itself (node reactor), a fake. The
 * real ones are made in `main.ts`, because `control` may not name `data`.
 */
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";

export interface WorkerPort {
  /** Handled in order. Dropped once the worker has exited. */
  post(command: WorkerCommand): void;
  /** Ends it without asking; `onExit` follows. */
  terminate(): void;
}

export interface WorkerPortHandler {
  onEvent(event: WorkerEvent): void;
  /** Exactly once, last of all. `reason` is for the log: an exit code, an error's message. */
  onExit(reason: string): void;
}

/**
 * Starts a worker. `init.peers` holds MessagePorts: a thread wants them in its `transferList`. The handler is
 * never called before this returns.
 */
export type SpawnWorker = (init: WorkerInit, handler: WorkerPortHandler) => WorkerPort;
