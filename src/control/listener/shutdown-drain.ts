/**
 * The last drain: nothing is accepted any more, every connection is told at once, and the process may end when the
 * last one has gone or when the time is up (Envoy ends at once, envoyproxy/envoy#7841). Probes come first: whoever
 * balances over this proxy is to hear of it before any client does.
 *
 * Connections of the admin and of listeners that carry no traffic are in it not at all: a scrape that never lets go
 * would hold the process for the whole time.
 */
import type { DrainPolicy } from "../../shared/drain/drain.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { DrainRunner } from "./drain-runner.ts";
import type { ListenerManager } from "./listener-manager.ts";
import type { ServerDrain } from "./server-drain.ts";

export interface ShutdownDrainContext {
  readonly pool: Pick<WorkerPool, "post" | "broadcast">;
  readonly drains: DrainRunner;
  /** The root of the tree. */
  readonly drainManager: DrainManager;
  readonly drainDefaults: DrainPolicy;
  readonly manager: Pick<ListenerManager, "stopListeners" | "hasTraffic">;
  readonly serverDrain: Pick<ServerDrain, "failHealthCheck">;
}

export class ShutdownDrain {
  readonly #context: ShutdownDrainContext;

  constructor(context: ShutdownDrainContext) {
    this.#context = context;
  }

  /** Resolves when it has ended: after `timeMs` at the latest, give or take the workers' answer. */
  run(timeMs: number): Promise<void> {
    const { pool, drains, drainManager, manager, serverDrain } = this.#context;
    const ended = Promise.withResolvers<void>();
    let hasStopped = false;
    serverDrain.failHealthCheck();
    const record = drains.begin({
      cause: "shutdown",
      policy: this.#policy(timeMs),
      cutsAtDeadline: true,
      subject: {
        listener: undefined,
        filterChains: undefined,
        updateClass: undefined,
        changed: [],
      },
      // Its own node: the root may have drained before, by order of the admin, and would not do so again.
      manager: drainManager.createChildManager("modifyOnly"),
      direction: "all",
      tell: (drain) => pool.post({ kind: "startServerDrain", drain, scope: "traffic" }),
      mayEndEarly: () => hasStopped && !manager.hasTraffic,
      // Workers cut by themselves at the deadline: their answer comes after their last report.
      finish: async () => {
        await pool.broadcast((reply) => ({ kind: "ping", reply }));
        return "cut";
      },
      onEnded: ended.resolve,
    });
    drains.tell(record);
    void manager.stopListeners("all").then(() => (hasStopped = true));
    return ended.promise;
  }

  /** What listeners say of requests and of TCP that may outlast a drain is void: the process does not. */
  #policy(timeMs: number): DrainPolicy {
    const { drainDefaults } = this.#context;
    return {
      ...drainDefaults,
      timeMs,
      strategy: "immediate",
      streams: "deadline",
      tcp: "deadline",
      // Idle connections end in order, not by being cut, however short the time.
      idleGraceMs: Math.min(drainDefaults.idleGraceMs, timeMs / 2),
    };
  }
}
