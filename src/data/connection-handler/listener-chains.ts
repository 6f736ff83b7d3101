/** One configuration of a listener, compiled: its chains and the way to them. Replaced as a whole. */
import type { FilterChainConfig, ListenerConfig } from "../../shared/config/listener-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { connectionInput } from "../matching/connection-inputs.ts";
import { compileMatchTree } from "../matching/match-tree.ts";
import {
  type ConnectionFacts,
  type FilterChainMatcher,
  compileFilterChainMatcher,
} from "../network/filter-chain-match.ts";
import {
  type ListenerFilterEntry,
  createListenerFilters,
} from "../listener-filters/listener-filters.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { ActiveFilterChain } from "./active-filter-chain.ts";
import { createNetworkFilterFactory } from "./network-filters.ts";

export class ListenerChains {
  readonly config: ListenerConfig;
  readonly listenerFilters: readonly ListenerFilterEntry[];
  readonly #byId: ReadonlyMap<string, ActiveFilterChain>;
  readonly #find: FilterChainMatcher;

  /** Chains of `previous` with an unchanged id are taken over, and adopt what else is new of them. */
  constructor(
    config: ListenerConfig,
    previous: ListenerChains | undefined,
    worker: WorkerContext,
    slots: ListenerSlots,
  ) {
    this.config = config;
    // An update in place leaves them as they were, and what they hold.
    this.listenerFilters =
      previous?.listenerFilters ?? createListenerFilters(config.listenerFilters, worker, slots);
    const configs = [...config.filterChains, ...defaultChainOf(config)];
    this.#byId = new Map(
      configs.map((chain) => [
        chain.id,
        previous?.byId(chain.id) ??
          new ActiveFilterChain(chain, createNetworkFilterFactory(chain, worker, slots)),
      ]),
    );
    for (const chain of configs) this.#byId.get(chain.id)?.adopt(chain, slots);
    this.#find = chainFinderOf(config);
  }

  get all(): Iterable<ActiveFilterChain> {
    return this.#byId.values();
  }

  byId(id: string): ActiveFilterChain | undefined {
    return this.#byId.get(id);
  }

  /** Undefined where there is none. */
  find(facts: ConnectionFacts): ActiveFilterChain | undefined {
    const matched = this.#find(facts);
    return matched && this.#byId.get(matched.id);
  }

  connectionCounts(): readonly (readonly [id: string, count: number])[] {
    return [...this.#byId].map(([id, chain]) => [id, chain.connectionCount]);
  }

  /** Chains that `next` did not take over. */
  retiredBy(next: ListenerChains | undefined): ActiveFilterChain[] {
    return [...this.#byId.values()].filter((chain) => next?.byId(chain.config.id) !== chain);
  }
}

/** By the matcher tree, where there is one: then what a chain itself matches is not asked (docs: `filter_chain_matcher`). */
function chainFinderOf(config: ListenerConfig): FilterChainMatcher {
  const { filterChains, defaultFilterChain, chainMatcher } = config;
  if (!chainMatcher) {
    const match = compileFilterChainMatcher(filterChains);
    return (facts) => match(facts) ?? defaultFilterChain;
  }
  const evaluate = compileMatchTree(chainMatcher, connectionInput);
  const byName = new Map(filterChains.map((chain) => [chain.name, chain]));
  return (facts) => {
    const name = evaluate(facts);
    // A name that no chain has serves nobody: the default is for those of whom nothing is said.
    return name === undefined ? defaultFilterChain : byName.get(name);
  };
}

function defaultChainOf(config: ListenerConfig): FilterChainConfig[] {
  return config.defaultFilterChain ? [config.defaultFilterChain] : [];
}
