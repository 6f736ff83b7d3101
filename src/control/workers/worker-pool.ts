/**
 * All workers. Managers send commands through here and hear events; nobody else knows how many there are.
 * Commands to one worker keep their order, across workers there is none: where it matters, wait.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { ReplyId, WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type { SpawnWorker } from "./worker-port.ts";

export interface WorkerPoolOptions {
  readonly concurrency: number;
  readonly spawn: SpawnWorker;
  /** What worker `index` is born with, but for what the pool itself adds. */
  readonly init: (index: number) => Omit<WorkerInit, "index" | "concurrency" | "peers">;
}

export interface WorkerPoolListener {
  onEvent?(worker: number, event: WorkerEvent): void;
  onExit?(worker: number, reason: string, expected: boolean): void;
}

export class WorkerPool {
  readonly #workers: readonly WorkerHandle[];
  readonly #listeners = new Set<WorkerPoolListener>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #readyCount = 0;
  #exitedCount = 0;
  readonly #lost = new Set<number>();

  constructor(options: WorkerPoolOptions) {
    const peers = peerPorts(options.concurrency);
    this.#ready.promise.catch(() => undefined);
    this.#workers = peers.map(
      (ports, index) =>
        new WorkerHandle(
          { ...options.init(index), index, concurrency: options.concurrency, peers: ports },
          options.spawn,
          {
            onReady: () => this.#onReady(),
            onEvent: (worker, event) => this.#onEvent(worker, event),
            onExit: (worker, reason, expected) => this.#onExit(worker, reason, expected),
          },
        ),
    );
  }

  get concurrency(): number {
    return this.#workers.length;
  }

  /** Every worker can take commands. Rejects when one exits before. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Every worker has exited. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** One died or hangs. What it had is counted still, wherever workers count themselves. */
  get hasLostWorker(): boolean {
    return this.#lost.size > 0;
  }

  /** It died or hangs, and does nothing that it is told. */
  isLost(worker: number): boolean {
    return this.#lost.has(worker);
  }

  get isReady(): boolean {
    return this.#readyCount === this.#workers.length;
  }

  subscribe(listener: WorkerPoolListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The same command to all, asking for no answer. */
  post(command: WorkerCommand): void {
    for (const worker of this.#workers) worker.post(command);
  }

  postTo(index: number, command: WorkerCommand): void {
    this.#workers[index]?.post(command);
  }

  /** A command to each, built for it; resolves when all have carried theirs out. */
  async broadcast(build: (reply: ReplyId, worker: number) => WorkerCommand): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.request(worker.index, build)));
  }

  request(index: number, build: (reply: ReplyId, worker: number) => WorkerCommand): Promise<void> {
    const worker = this.#workers[index];
    return worker ? worker.request((reply) => build(reply, index)) : Promise.resolve();
  }

  /** Asks all to end; `exited` follows. */
  shutdown(): void {
    for (const worker of this.#workers) worker.shutdown();
  }

  /** See `WorkerHandle.abandon`. */
  abandon(index: number, reason: string): void {
    this.#workers[index]?.abandon(reason);
  }

  terminate(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #onReady(): void {
    this.#readyCount++;
    if (this.isReady) this.#ready.resolve();
  }

  #lose(worker: number): void {
    this.#lost.add(worker);
    this.post({ kind: "workerLost", worker });
  }

  #onEvent(worker: number, event: WorkerEvent): void {
    for (const listener of this.#listeners) listener.onEvent?.(worker, event);
  }

  #onExit(worker: number, reason: string, expected: boolean): void {
    this.#exitedCount++;
    this.#ready.reject(new Error(`worker ${worker} exited before it was ready: ${reason}`));
    if (!expected) this.#lose(worker);
    for (const listener of this.#listeners) listener.onExit?.(worker, reason, expected);
    if (this.#exitedCount === this.#workers.length) this.#exited.resolve();
  }
}

/** One channel for each pair of workers; `result[a][b]` is a's end of the channel to b. */
function peerPorts(concurrency: number): readonly (readonly (MessagePort | undefined)[])[] {
  const ports = Array.from({ length: concurrency }, () =>
    Array.from<MessagePort | undefined>({ length: concurrency }),
  );
  for (let a = 0; a < concurrency; a++) {
    for (let b = a + 1; b < concurrency; b++) {
      const { port1, port2 } = new MessageChannel();
      (ports[a] ?? [])[b] = port1;
      (ports[b] ?? [])[a] = port2;
    }
  }
  return ports;
}
