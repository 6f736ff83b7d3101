/**
 * Drains of listeners and of filter chains: what each is of, what workers are told, and what is given back
 * when it has ended. Its timeline and its end are the runner's.
 */
import type { DrainCause, DrainPolicy, DrainStrategy } from "../../shared/drain/drain.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { DrainError } from "./drain-desk.ts";
import { noSuchFilterChain } from "./drain-errors.ts";
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

/** Connections that an active listener has now. */
export interface ConnectionDrainOrder {
  readonly listener: string;
  /** Name, or id where it has none; undefined: whatever the chain. */
  readonly filterChain?: string | undefined;
  /** Above 0, at most 100; undefined: all of them. */
  readonly percent?: number | undefined;
  /** In place of the listener's own. */
  readonly timeMs?: number | undefined;
  readonly strategy?: DrainStrategy | undefined;
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
  /** Draining versions by their listener's name, oldest first. */
  readonly #generations = new Map<string, DrainRecord[]>();

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
        for (const each of this.#chainsOf(tag)) drains.endWith(each.record, "cut", "listener");
        await onDrained(listener);
        return "cut";
      },
      whyNotCancellable: () => whyRetired(listener.name, reason.cause),
      onDeadlineMoved: (deadlineMs) => listener.become({ kind: "deadlineMoved", deadlineMs }),
      onEnded: () => this.#forgetGeneration(listener.name, record),
    });
    listener.become({ kind: "retired", deadlineMs: record.start.deadlineMs });
    this.#addGeneration(listener.name, record, policy.maxGenerations);
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
      whyNotCancellable: () => `its filter chains are no longer in listener '${old.name}'`,
    });
    const drainOfChains: ChainDrain = { tag, chains: chains.length, record };
    this.#chainDrains.add(drainOfChains);
    this.#setGauge();
    drains.tell(record);
  }

  /** Of the connections that there are now. Who comes later is not in it: the listener serves. */
  drainConnections(listener: Listener, order: ConnectionDrainOrder): DrainRecord | DrainError {
    const { drains, pool } = this.#context;
    const { tag } = listener;
    const { filterChain, percent = 100 } = order;
    const filterChains = filterChain === undefined ? undefined : chainIds(listener, filterChain);
    if (filterChain !== undefined && filterChains === undefined)
      return noSuchFilterChain(listener.name, filterChain);
    const own = this.#policy(listener);
    const policy = {
      ...own,
      timeMs: order.timeMs ?? own.timeMs,
      strategy: order.strategy ?? own.strategy,
    };
    const record = drains.begin({
      cause: "admin",
      policy,
      cutsAtDeadline: true,
      subject: {
        ...subjectOf(listener),
        filterChains: filterChain === undefined ? undefined : [filterChain],
        percent: order.percent,
        updateClass: undefined,
        changed: [],
      },
      manager: listener.holdings.drainManager.createChildManager(listener.facts.drainType),
      direction: "all",
      tell: (drain) => {
        const share = percent / 100;
        pool.post({ kind: "drainConnections", tag, filterChains, share, drain });
      },
      mayEndEarly: () => true,
      onEnded: () => void this.#chainDrains.delete(ofListener),
      // As for chains: workers cut by themselves.
      finish: async () => {
        await pool.broadcast((reply) => ({ kind: "ping", reply }));
        return "cut";
      },
      whyNotCancellable: () => undefined,
    });
    const ofListener: ChainDrain = { tag, chains: 0, record };
    this.#chainDrains.add(ofListener);
    drains.tell(record);
    return record;
  }

  /** Beyond the bound the oldest is told to go now, and is cut when its grace is over. */
  #addGeneration(name: string, record: DrainRecord, max: number): void {
    const generations = this.#generations.get(name) ?? [];
    generations.push(record);
    this.#generations.set(name, generations);
    const excess = generations.splice(0, Math.max(0, generations.length - max));
    for (const oldest of excess)
      void this.#context.drains.force(oldest, "generations", oldest.start.idleGraceMs);
  }

  #forgetGeneration(name: string, record: DrainRecord): void {
    const generations = this.#generations.get(name) ?? [];
    const index = generations.indexOf(record);
    if (index >= 0) generations.splice(index, 1);
    if (generations.length === 0) this.#generations.delete(name);
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

/** Ids of the chains that a person means by a name; undefined: there is none. */
function chainIds({ config }: Listener, filterChain: string): readonly string[] | undefined {
  const chains = [
    ...config.filterChains,
    ...(config.defaultFilterChain ? [config.defaultFilterChain] : []),
  ];
  const meant = chains.filter((chain) => (chain.name || chain.id) === filterChain);
  return meant.length === 0 ? undefined : meant.map(({ id }) => id);
}

function whyRetired(name: string, cause: DrainCause): string {
  const how = cause === "lds-replace" ? "has been replaced by a newer version" : "is removed";
  return `listener '${name}' ${how}; the drain can be extended or ended`;
}
