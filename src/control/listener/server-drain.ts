/**
 * Drains of the whole server, by order: `/drain_listeners` and `/healthcheck/fail`. Nothing is closed at the end
 * of one: whoever ordered it ends the process.
 */
import type { DrainId } from "../../shared/common/brand.ts";
import type { DrainDirection, DrainPolicy, DrainStrategy } from "../../shared/drain/drain.ts";
import { covers, type DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { DrainRunner } from "./drain-runner.ts";
import type { ListenerManager } from "./listener-manager.ts";
import type { SocketLease } from "./listener-sockets.ts";

export interface ServerDrainContext {
  readonly pool: Pick<WorkerPool, "post">;
  readonly drains: DrainRunner;
  /** The root of the tree. */
  readonly drainManager: DrainManager;
  readonly drainDefaults: DrainPolicy;
  readonly manager: Pick<
    ListenerManager,
    "stopListeners" | "pauseListeners" | "resumeListeners" | "hasTraffic"
  >;
  /** Sets what the root's `isHealthCheckFailed` reads, and the server's phase. */
  readonly setHealthCheckFailed: (isFailed: boolean) => void;
}

/** The parameters of `POST /drain_listeners`. */
export interface DrainListenersOrder {
  /** Accept on until the drain time is over. */
  readonly graceful: boolean;
  /** Accept on for ever. */
  readonly skipExit: boolean;
  readonly inboundOnly: boolean;
  /** In place of the process's. */
  readonly timeMs?: number | undefined;
  readonly strategy?: DrainStrategy | undefined;
  /** Another generation serves at these: all stops so that it can begin again (`takeBack`). */
  readonly keeps?: (lease: SocketLease) => boolean;
  /** By default the admin's. */
  readonly cause?: "admin" | "hot-restart";
}

/** `isNew: false`: the direction drained already, as `record` says. */
export interface ServerDrainStart {
  readonly record: DrainRecord;
  readonly isNew: boolean;
}

export class ServerDrain {
  readonly #context: ServerDrainContext;
  /** Listeners were told to stop, which cannot be taken back. */
  #stops = false;
  /** Listeners of which directions accept no more, all workers having said so. */
  #stopped: DrainDirection | undefined;
  /** Accepting has paused, or is about to. */
  #isHeld = false;
  #isPaused = false;
  /** The widest one since the server last served. */
  #latest: DrainRecord | undefined;
  /** Of narrower directions, replaced by `#latest`; workers know them still. */
  #replaced: DrainId[] = [];

  constructor(context: ServerDrainContext) {
    this.#context = context;
  }

  /**
   * Begins the drain; resolves when it has begun and, unless accepting goes on, when it has stopped. A
   * graceful drain of a direction that drains already does nothing, as in Envoy.
   */
  async drainListeners(order: DrainListenersOrder): Promise<ServerDrainStart> {
    const { drainManager } = this.#context;
    const direction: DrainDirection = order.inboundOnly ? "inboundOnly" : "all";
    const keepsAccepting = order.graceful || order.skipExit;
    const underWay = drainManager.isDraining(direction) ? this.#latest : undefined;
    const record = underWay ?? this.#begin(direction, order);
    if (order.keeps) await this.#hold(order.keeps);
    else if (!keepsAccepting) await this.#stop(direction);
    this.#context.drains.recheck(record);
    return { record, isNew: underWay === undefined };
  }

  /** What was held stops for good. */
  async letGo(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await this.#stop("all");
  }

  /** What was held accepts again, and who comes is in no drain. Who was told of the drain stays told. */
  async takeBack(): Promise<void> {
    const { drains, drainManager, manager } = this.#context;
    const record = this.#latest;
    if (!this.#isHeld || !record) return;
    this.#isHeld = false;
    this.#isPaused = false;
    if (drains.whyNotCancellable(record) === undefined) await drains.cancel(record);
    else {
      drainManager.cancelDrainSequence();
      this.#replaced.push(record.start.id);
      this.#forgetReplaced();
    }
    await manager.resumeListeners();
  }

  failHealthCheck(): void {
    this.#setHealthCheckFailed(true);
  }

  passHealthCheck(): void {
    this.#setHealthCheckFailed(false);
  }

  #begin(direction: DrainDirection, order: DrainListenersOrder): DrainRecord {
    const { pool, drains, drainManager, drainDefaults } = this.#context;
    this.#replaceNarrower();
    const record = drains.begin({
      cause: order.cause ?? "admin",
      policy: {
        ...drainDefaults,
        ...(order.timeMs !== undefined && { timeMs: order.timeMs }),
        ...(order.strategy && { strategy: order.strategy }),
      },
      cutsAtDeadline: false,
      subject: {
        listener: undefined,
        filterChains: undefined,
        updateClass: undefined,
        changed: [],
      },
      manager: drainManager,
      direction,
      tell: (drain) =>
        pool.post({
          kind: "startServerDrain",
          drain,
          scope: order.inboundOnly ? "inbound" : "all",
        }),
      // While it accepts, a moment without connections is not the end.
      mayEndEarly: () =>
        // One that is offered to the next generation may come back.
        (this.#isPaused && !this.#context.manager.hasTraffic) ||
        (this.#stopped !== undefined && covers(this.#stopped, direction)),
      finish: async () => {
        if (order.graceful && !order.skipExit) await this.#stop(direction);
        return "kept";
      },
      whyNotCancellable: () => {
        if (this.#isHeld) return "the next generation of the process serves";
        return this.#stops ? "listeners have stopped, and do not accept again" : undefined;
      },
      onCancelled: () => this.#forgetReplaced(),
    });
    this.#latest = record;
    drains.tell(record);
    return record;
  }

  async #hold(keeps: (lease: SocketLease) => boolean): Promise<void> {
    // At once: the next generation may be gone before all workers have paused.
    this.#isHeld = true;
    await this.#context.manager.pauseListeners(keeps);
    this.#isPaused = this.#isHeld;
  }

  async #stop(direction: DrainDirection): Promise<void> {
    this.#stops = true;
    await this.#context.manager.stopListeners(direction);
    if (this.#stopped !== "all") this.#stopped = direction;
  }

  #replaceNarrower(): void {
    if (!this.#latest) return;
    this.#context.drains.endWith(this.#latest, "kept", "wider");
    this.#replaced.push(this.#latest.start.id);
  }

  /** What a drain replaced is taken back with it. */
  #forgetReplaced(): void {
    const { pool } = this.#context;
    for (const drain of this.#replaced) pool.post({ kind: "cancelDrain", drain, question: 0 });
    this.#replaced = [];
    this.#latest = undefined;
  }

  #setHealthCheckFailed(failed: boolean): void {
    this.#context.setHealthCheckFailed(failed);
    this.#context.pool.post({ kind: "setHealthCheckFailed", failed });
  }
}
