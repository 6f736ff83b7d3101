/**
 * One filter chain of one listener, on this worker. An in-place update keeps the object of a chain whose id
 * is unchanged; a retired one lives on, out of reach of new connections, until its last has gone.
 */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { NetworkFilterFactory } from "../network/network-filter.ts";
import type { ActiveDrain } from "./active-drain.ts";
import { terminalOf } from "./terminal-filter.ts";

export class ActiveFilterChain {
  readonly factory: NetworkFilterFactory;
  /** It stands for "none matched". */
  readonly isUnmatched: boolean;
  /** Drains of this chain alone. */
  readonly drains: ActiveDrain[] = [];
  #config: FilterChainConfig;
  #connectionCount = 0;
  #isRetired = false;

  constructor(config: FilterChainConfig, factory: NetworkFilterFactory, isUnmatched = false) {
    this.#config = config;
    this.factory = factory;
    this.isUnmatched = isUnmatched;
  }

  get config(): FilterChainConfig {
    return this.#config;
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** The same chain, in a version of which its connections take up what is new with their next request. */
  adopt(config: FilterChainConfig, slots: ListenerSlots): void {
    if (config.revision === this.#config.revision) return;
    this.#config = config;
    const terminal = terminalOf(config);
    if (terminal) this.factory.adopt?.(terminal, slots);
  }

  connectionOpened(): void {
    this.#connectionCount++;
  }

  /** True when the chain ended with it. */
  connectionClosed(): boolean {
    this.#connectionCount--;
    return this.#endIfUnused();
  }

  /** No new connections any more. True when there was none at all: the chain has ended. */
  retire(): boolean {
    this.#isRetired = true;
    return this.#endIfUnused();
  }

  #endIfUnused(): boolean {
    if (!this.#isRetired || this.#connectionCount > 0) return false;
    for (const drain of this.drains.splice(0)) drain[Symbol.dispose]();
    this.factory[Symbol.dispose]();
    return true;
  }
}
