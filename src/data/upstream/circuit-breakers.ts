/**
 * A cluster's limits, exact over all workers: Int32 atomics in shared memory (Envoy: `ResourceManager`).
 * Whoever acquires must release, once, on every path.
 */
import type { CircuitBreakerLimits } from "../../shared/config/cluster-config.ts";
import { clusterLimitOffsets } from "../../shared/protocol/worker-command.ts";

export type Resource = keyof typeof clusterLimitOffsets;

export class CircuitBreakers {
  readonly #counts: Int32Array;
  readonly #base: number;
  readonly #max: Readonly<Record<Resource, number>>;

  /** `base` is the first of the priority's four counters in the shared `counts`. */
  constructor(counts: Int32Array, base: number, limits: CircuitBreakerLimits) {
    this.#counts = counts;
    this.#base = base;
    this.#max = {
      connections: limits.maxConnections,
      pending: limits.maxPendingRequests,
      requests: limits.maxRequests,
      retries: limits.maxRetries,
    };
  }

  /** Takes one, or takes nothing and returns false: the limit is reached. */
  tryAcquire(resource: Resource): boolean {
    const index = this.#base + clusterLimitOffsets[resource];
    if (Atomics.add(this.#counts, index, 1) < this.#max[resource]) return true;
    Atomics.sub(this.#counts, index, 1);
    return false;
  }

  release(resource: Resource): void {
    Atomics.sub(this.#counts, this.#base + clusterLimitOffsets[resource], 1);
  }
}
