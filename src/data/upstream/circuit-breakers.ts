/**
 * A cluster's limits, exact over all workers: Int32 atomics in shared memory (Envoy: `ResourceManager`).
 * Whoever acquires must release, once, on every path. Runtime may override each of them.
 */
import type { CircuitBreakerLimits } from "../../shared/config/cluster-config.ts";
import { clusterLimitOffsets } from "../../shared/protocol/worker-command.ts";
import type { Runtime } from "./worker-runtime.ts";

export type Resource = keyof typeof clusterLimitOffsets;

/** Envoy's runtime keys, below `circuit_breakers.<cluster>.<priority>.`. */
const keys = {
  connections: "max_connections",
  pending: "max_pending_requests",
  requests: "max_requests",
  retries: "max_retries",
} as const;

export interface ConfiguredLimits {
  readonly limits: CircuitBreakerLimits;
  readonly keyPrefix: string;
}

export class CircuitBreakers {
  readonly #counts: Int32Array;
  readonly #base: number;
  readonly #keyPrefix: string;
  readonly #configured: Readonly<Record<Resource, number>>;
  #max: Readonly<Record<Resource, number>>;

  /** `base` is the first of the priority's four counters in the shared `counts`. */
  constructor(counts: Int32Array, base: number, { limits, keyPrefix }: ConfiguredLimits) {
    this.#counts = counts;
    this.#base = base;
    this.#keyPrefix = keyPrefix;
    this.#configured = {
      connections: limits.maxConnections,
      pending: limits.maxPendingRequests,
      requests: limits.maxRequests,
      retries: limits.maxRetries,
    };
    this.#max = this.#configured;
  }

  followRuntime(runtime: Pick<Runtime, "integer">): void {
    const max = (resource: Resource): number =>
      runtime.integer({
        runtimeKey: this.#keyPrefix + keys[resource],
        otherwise: this.#configured[resource],
      });
    this.#max = {
      connections: max("connections"),
      pending: max("pending"),
      requests: max("requests"),
      retries: max("retries"),
    };
  }

  /** Takes one, or takes nothing and returns false: the limit is reached. */
  tryAcquire(resource: Resource): boolean {
    const index = this.#base + clusterLimitOffsets[resource];
    if (Atomics.add(this.#counts, index, 1) < this.#max[resource]) return true;
    Atomics.sub(this.#counts, index, 1);
    return false;
  }

  /** Takes one whatever the limit: what is counted is there already. */
  acquire(resource: Resource): void {
    Atomics.add(this.#counts, this.#base + clusterLimitOffsets[resource], 1);
  }

  release(resource: Resource): void {
    Atomics.sub(this.#counts, this.#base + clusterLimitOffsets[resource], 1);
  }
}
