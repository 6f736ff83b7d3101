/**
 * The last drain: nothing is accepted any more, every connection is told at once, and the process may end when the
 * last one has gone or when the time is up (Envoy ends at once, envoyproxy/envoy#7841). Probes come first: whoever
 * balances over this proxy is to hear of it before any client does.
 *
 * Where another process has taken over, the drain is the same, but for the probes; and until it has ended it can be taken back.
 *
 * Connections of the admin and of listeners that carry no traffic are in it not at all: a scrape that never lets go
 * would hold the process for the whole time.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DrainPolicy } from "../../shared/drain/drain.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { DrainRunner } from "./drain-runner.ts";
import type { ListenerManager } from "./listener-manager.ts";
import type { SocketLease } from "./listener-sockets.ts";
import type { ServerDrain } from "./server-drain.ts";

export interface ShutdownDrainContext {
  readonly pool: Pick<WorkerPool, "post" | "broadcast" | "hasLostWorker">;
  readonly drains: DrainRunner;
  readonly clock: Clock;
  /** The root of the tree. */
  readonly drainManager: DrainManager;
  readonly drainDefaults: DrainPolicy;
  readonly manager: Pick<
    ListenerManager,
    "stopListeners" | "pauseListeners" | "resumeListeners" | "hasTraffic"
  >;
  readonly serverDrain: Pick<ServerDrain, "failHealthCheck">;
}

/** The last drain of a process whose service goes on in another one. */
export interface HandOverDrain {
  readonly whenOver: Promise<"ended" | "takenBack">;
  /** What was kept is closed. */
  letGo(): Promise<void>;
  /** Accepts again, and who comes is in no drain; no-op when it has ended. */
  takeBack(): Promise<void>;
}

/** Workers that have not said by then that they have cut what was left are not waited for. */
const answerMsMax = 250;

export class ShutdownDrain {
  readonly #context: ShutdownDrainContext;

  constructor(context: ShutdownDrainContext) {
    this.#context = context;
  }

  /** Resolves when it has ended: after `timeMs` and the workers' answer at the latest, unless it is extended. */
  async run(timeMs: number): Promise<void> {
    const { manager, serverDrain } = this.#context;
    serverDrain.failHealthCheck();
    await this.#begin(timeMs, "shutdown", () => manager.stopListeners("all")).ended;
  }

  /** `keeps`: where the other process listens, too. */
  handOver(timeMs: number, keeps: (lease: SocketLease) => boolean): HandOverDrain {
    const { manager, drains } = this.#context;
    let isTakenBack = false;
    const { record, ended } = this.#begin(timeMs, "hot-restart", () =>
      manager.pauseListeners(keeps),
    );
    return {
      whenOver: ended.then(() => (isTakenBack ? "takenBack" : "ended")),
      letGo: () => manager.stopListeners("all"),
      takeBack: async () => {
        if (!drains.isUnderWay(record)) return;
        isTakenBack = true;
        await drains.cancel(record);
        await manager.resumeListeners();
      },
    };
  }

  #begin(
    timeMs: number,
    cause: "shutdown" | "hot-restart",
    stop: () => Promise<void>,
  ): { readonly record: DrainRecord; readonly ended: Promise<void> } {
    const { pool, drains, clock, drainManager, manager } = this.#context;
    const ended = Promise.withResolvers<void>();
    let hasStopped = false;
    const record = drains.begin({
      cause,
      policy: this.#policy(timeMs, cause),
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
      mayEndEarly: () => hasStopped && (pool.hasLostWorker || !manager.hasTraffic),
      // Workers cut by themselves at the deadline: their answer comes after their last report.
      finish: async () => {
        const isLate = Promise.withResolvers<void>();
        using _timer = clock.startTimer(answerMsMax, isLate.resolve);
        await Promise.race([pool.broadcast((reply) => ({ kind: "ping", reply })), isLate.promise]);
        return "cut";
      },
      whyNotCancellable: () => "the process is ending",
      onEnded: ended.resolve,
    });
    drains.tell(record);
    void stop().then(() => {
      hasStopped = true;
      drains.recheck(record);
    });
    return { record, ended: ended.promise };
  }

  /** What listeners say of requests and of TCP that may outlast a drain is void: the process does not. */
  #policy(timeMs: number, cause: "shutdown" | "hot-restart"): DrainPolicy {
    const { drainDefaults } = this.#context;
    return {
      ...drainDefaults,
      timeMs,
      strategy: cause === "shutdown" ? "immediate" : drainDefaults.strategy,
      streams: "deadline",
      tcp: "deadline",
      // Idle connections end in order, not by being cut, however short the time.
      idleGraceMs: Math.min(drainDefaults.idleGraceMs, timeMs / 2),
    };
  }
}
