/**
 * One filter chain of one listener, on this worker. An in-place update keeps the object of a chain whose id
 * is unchanged; a retired one lives on, out of reach of new connections, until its last has gone.
 */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { NetworkFilterFactory } from "../network/network-filter.ts";
import type { ActiveDrain } from "./active-drain.ts";

export class ActiveFilterChain {
  readonly config: FilterChainConfig;
  readonly factory: NetworkFilterFactory;
  /** It stands for "none matched". */
  readonly isUnmatched: boolean;
  /** Drains of this chain alone. */
  readonly drains: ActiveDrain[] = [];
  #connectionCount = 0;
  #isRetired = false;

  constructor(config: FilterChainConfig, factory: NetworkFilterFactory, isUnmatched = false) {
    this.config = config;
    this.factory = factory;
    this.isUnmatched = isUnmatched;
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
