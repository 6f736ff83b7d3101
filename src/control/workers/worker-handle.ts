/**
 * Main's side of one worker: typed commands out, `done` replies matched with who waits for them.
 *
 * A worker that has exited holds nothing, so every command to it counts as carried out: callers that
 * wait are let go rather than failed, and the exit itself is an event of the pool.
 */
import type { WorkerCommand, ReplyId } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import type { SpawnWorker, WorkerPort } from "./worker-port.ts";

export type WorkerState =
  /** Spawned, has not said `ready`. */
  | { readonly kind: "starting" }
  | { readonly kind: "ready" }
  /** Asked to shut down. */
  | { readonly kind: "ending" }
  | { readonly kind: "exited"; readonly reason: string };

export interface WorkerHandleHandler {
  onReady(worker: number): void;
  /** Every event but `ready` and `done`. */
  onEvent(worker: number, event: WorkerEvent): void;
  /** Once. `expected`: it was asked to. */
  onExit(worker: number, reason: string, expected: boolean): void;
}

export class WorkerHandle {
  readonly index: number;
  readonly #port: WorkerPort;
  readonly #handler: WorkerHandleHandler;
  readonly #waiting = new Map<ReplyId, () => void>();
  #nextReply: ReplyId = 1;
  #state: WorkerState = { kind: "starting" };

  constructor(init: WorkerInit, spawn: SpawnWorker, handler: WorkerHandleHandler) {
    this.index = init.index;
    this.#handler = handler;
    this.#port = spawn(init, {
      onEvent: (event) => this.#onEvent(event),
      onExit: (reason) => this.#onExit(reason),
    });
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Commands sent with a reply number that are not answered yet. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  post(command: WorkerCommand): void {
    if (this.#state.kind !== "exited") this.#port.post(command);
  }

  /** Sends the command built around a fresh reply number; resolves when it is carried out or the worker is gone. */
  request(build: (reply: ReplyId) => WorkerCommand): Promise<void> {
    if (this.#state.kind === "exited") return Promise.resolve();
    const reply = this.#nextReply++;
    return new Promise((resolve) => {
      this.#waiting.set(reply, resolve);
      this.#port.post(build(reply));
    });
  }

  /** Asks it to close everything and end. */
  shutdown(): void {
    if (this.#state.kind === "exited" || this.#state.kind === "ending") return;
    this.#state = { kind: "ending" };
    this.#port.post({ kind: "shutdown" });
  }

  /** It hangs: from now on it is treated as one that has exited, though its thread may be there. */
  abandon(reason: string): void {
    this.#onExit(reason);
  }

  terminate(): void {
    if (this.#state.kind !== "exited") this.#port.terminate();
  }

  #onEvent(event: WorkerEvent): void {
    // Abandoned, and back: nobody counts on it any more.
    if (this.#state.kind === "exited") return;
    if (event.kind === "ready") return this.#onReady();
    if (event.kind === "done") return this.#onDone(event.reply);
    this.#handler.onEvent(this.index, event);
  }

  #onReady(): void {
    if (this.#state.kind !== "starting") return;
    this.#state = { kind: "ready" };
    this.#handler.onReady(this.index);
  }

  #onDone(reply: ReplyId): void {
    const resolve = this.#waiting.get(reply);
    this.#waiting.delete(reply);
    resolve?.();
  }

  #onExit(reason: string): void {
    if (this.#state.kind === "exited") return;
    const expected = this.#state.kind === "ending";
    this.#state = { kind: "exited", reason };
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
    this.#handler.onExit(this.index, reason, expected);
  }
}
