/**
 * Drains of listeners and of filter chains: what each is of, what workers are told, and what is given back
 * when it has ended. Its timeline and its end are the runner's.
 */
import type { DrainCause, DrainPolicy } from "../../shared/drain/drain.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { DrainRunner } from "./drain-runner.ts";
import type { Listener } from "./listener.ts";
import type { ListenerManagerStats } from "./listener-stats.ts";
import type { ListenerPool, ListenerWorkers } from "./listener-workers.ts";

export interface ListenerDrainsContext {
  readonly drains: DrainRunner;
  readonly drainDefaults: DrainPolicy;
  readonly pool: Pick<ListenerPool, "post" | "broadcast">;
  readonly workers: ListenerWorkers;
  readonly stats: ListenerManagerStats;
  /** No worker counts a connection of the tag: none is on its way from one to another either. */
  readonly isUncounted: (listener: Listener) => boolean;
  /** The workers have forgotten the listener. */
  readonly onDrained: (listener: Listener) => Promise<void>;
}

export interface DrainReason {
  readonly cause: DrainCause;
  readonly updateClass: "filter-chains" | "full" | undefined;
  readonly changed: readonly string[];
}

/** A drain of a part of what the tag holds: it ends with the tag, if not before. */
interface ChainDrain {
  readonly tag: ListenerTag;
  /** 0: of connections, whatever their chain. */
  readonly chains: number;
  readonly record: DrainRecord;
}

export class ListenerDrains {
  readonly #context: ListenerDrainsContext;
  readonly #chainDrains = new Set<ChainDrain>();

  constructor(context: ListenerDrainsContext) {
    this.#context = context;
  }

  /**
   * The listener drains from now on. Tell workers with `tell` once they have stopped accepting, so that the
   * connections of the emptied accept queue are in it.
   */
  retire(listener: Listener, reason: DrainReason): DrainRecord {
    const { drains, pool, workers, isUncounted, onDrained } = this.#context;
    const { tag } = listener;
    const policy = this.#policy(listener);
    const record = drains.begin({
      cause: reason.cause,
      policy,
      cutsAtDeadline: true,
      subject: { ...subjectOf(listener), ...reason, filterChains: undefined },
      manager: listener.holdings.drainManager,
      direction: "all",
      tell: (drain) => pool.post({ kind: "startDrain", tag, filterChains: undefined, drain }),
      mayEndEarly: () => isUncounted(listener) && !this.#chainsOf(tag).length,
      finish: async () => {
        await workers.remove(tag);
        for (const each of this.#chainsOf(tag)) drains.endWith(each.record, "cut");
        await onDrained(listener);
        return "cut";
      },
    });
    listener.become({ kind: "retired", deadlineMs: record.start.deadlineMs });
    return record;
  }

  tell(record: DrainRecord): void {
    this.#context.drains.tell(record);
  }

  /** Chains that an in-place update removed. What the old version holds is given back when they are gone. */
  drainFilterChains(
    old: Listener,
    chains: readonly { readonly id: string; readonly name: string }[],
    changed: readonly string[],
  ): void {
    if (chains.length === 0) return old.release();
    const { drains, pool } = this.#context;
    const { tag } = old;
    const policy = this.#policy(old);
    const record = drains.begin({
      cause: "filter-chain",
      policy,
      cutsAtDeadline: true,
      subject: {
        ...subjectOf(old),
        filterChains: chains.map((chain) => chain.name || chain.id),
        updateClass: "filter-chains",
        changed,
      },
      manager: old.holdings.drainManager.createChildManager(old.facts.drainType),
      direction: "all",
      tell: (drain) =>
        pool.post({
          kind: "startDrain",
          tag,
          filterChains: chains.map((chain) => chain.id),
          drain,
        }),
      mayEndEarly: () => true,
      onEnded: () => {
        this.#chainDrains.delete(drainOfChains);
        this.#setGauge();
        old.release();
      },
      // Workers cut chains by themselves at the deadline: their answer comes after their last report.
      finish: async () => {
        await pool.broadcast((reply) => ({ kind: "ping", reply }));
        return "cut";
      },
    });
    const drainOfChains: ChainDrain = { tag, chains: chains.length, record };
    this.#chainDrains.add(drainOfChains);
    this.#setGauge();
    drains.tell(record);
  }

  /** A share of the connections that there are now. Who comes later is not in it: the listener serves. */
  drainConnections(listener: Listener, share: number, timeMs: number | undefined): DrainRecord {
    const { drains, pool } = this.#context;
    const { tag } = listener;
    const own = this.#policy(listener);
    const policy = { ...own, timeMs: timeMs ?? own.timeMs };
    const record = drains.begin({
      cause: "admin",
      policy,
      cutsAtDeadline: true,
      subject: {
        ...subjectOf(listener),
        filterChains: undefined,
        updateClass: undefined,
        changed: [],
      },
      manager: listener.holdings.drainManager.createChildManager(listener.config.drainType),
      direction: "all",
      tell: (drain) => pool.post({ kind: "drainConnections", tag, share, drain }),
      mayEndEarly: () => true,
      onEnded: () => void this.#chainDrains.delete(ofListener),
      // As for chains: workers cut by themselves.
      finish: async () => {
        await pool.broadcast((reply) => ({ kind: "ping", reply }));
        return "cut";
      },
    });
    const ofListener: ChainDrain = { tag, chains: 0, record };
    this.#chainDrains.add(ofListener);
    drains.tell(record);
    return record;
  }

  #chainsOf(tag: ListenerTag): readonly ChainDrain[] {
    return [...this.#chainDrains].filter((each) => each.tag === tag);
  }

  #setGauge(): void {
    const count = [...this.#chainDrains].reduce((total, each) => total + each.chains, 0);
    this.#context.stats.setFilterChainsDraining(count);
  }

  /** The listener's metadata over the process's flags. */
  #policy(listener: Listener): DrainPolicy {
    return { ...this.#context.drainDefaults, ...listener.facts.drainPolicy };
  }
}

function subjectOf(listener: Listener): {
  readonly listener: {
    readonly name: string;
    readonly generation: number;
    readonly version: string;
  };
} {
  const { name, identity, version } = listener;
  return { listener: { name, generation: identity.generation, version } };
}
