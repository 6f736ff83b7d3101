/**
 * Drains of the whole server, by order of the admin: `/drain_listeners` and `/healthcheck/fail`. Nothing is closed at
 * the end of one: whoever ordered it ends the process.
 */
import type { DrainDirection, DrainPolicy } from "../../shared/drain/drain.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { DrainRunner } from "./drain-runner.ts";
import type { ListenerManager } from "./listener-manager.ts";

export interface ServerDrainContext {
  readonly pool: Pick<WorkerPool, "post">;
  readonly drains: DrainRunner;
  /** The root of the tree. */
  readonly drainManager: DrainManager;
  readonly drainDefaults: DrainPolicy;
  readonly manager: Pick<ListenerManager, "stopListeners">;
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
}

export class ServerDrain {
  readonly #context: ServerDrainContext;
  #hasStopped = false;

  constructor(context: ServerDrainContext) {
    this.#context = context;
  }

  /**
   * Begins the drain; resolves when it has begun and, unless accepting goes on, when it has stopped. A
   * graceful drain of a direction that drains already does nothing, as in Envoy.
   */
  async drainListeners(order: DrainListenersOrder): Promise<void> {
    const { manager, drainManager } = this.#context;
    const direction: DrainDirection = order.inboundOnly ? "inboundOnly" : "all";
    const keepsAccepting = order.graceful || order.skipExit;
    if (!drainManager.isDraining(direction)) this.#begin(direction, order);
    if (keepsAccepting) return;
    await manager.stopListeners(direction);
    this.#hasStopped = true;
  }

  failHealthCheck(): void {
    this.#setHealthCheckFailed(true);
  }

  passHealthCheck(): void {
    this.#setHealthCheckFailed(false);
  }

  #begin(direction: DrainDirection, order: DrainListenersOrder): void {
    const { pool, drains, drainManager, drainDefaults, manager } = this.#context;
    const record = drains.begin({
      cause: "admin",
      policy: drainDefaults,
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
      mayEndEarly: () => this.#hasStopped,
      finish: async () => {
        if (order.graceful && !order.skipExit) await manager.stopListeners(direction);
        return "kept";
      },
    });
    drains.tell(record);
  }

  #setHealthCheckFailed(failed: boolean): void {
    this.#context.setHealthCheckFailed(failed);
    this.#context.pool.post({ kind: "setHealthCheckFailed", failed });
  }
}
