/**
 * `cluster.<name>.circuit_breakers.<priority>.`: whether a limit is reached and, with `track_remaining`,
 * how much is left. Workers only move the shared counters; the gauges follow when somebody looks.
 */
import type { CircuitBreakerLimits } from "../../shared/config/cluster-config.ts";
import { clusterLimitOffsets, clusterLimitSlots } from "../../shared/protocol/worker-command.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { type StatBlock, defineStats } from "../../shared/stats/stat-group.ts";

/** `cx_pool_open` is always 0: there is no limit on pools. */
export const openBreakerStats = defineStats({
  gauges: ["cx_open", "cx_pool_open", "rq_open", "rq_pending_open", "rq_retry_open"],
});

export const remainingBreakerStats = defineStats({
  gauges: ["remaining_cx", "remaining_rq", "remaining_pending", "remaining_retries"],
});

const priorities = ["default", "high"] as const;
type Priority = (typeof priorities)[number];

interface Blocks {
  readonly open: StatBlock;
  /** Undefined until a version of the cluster asks for it. */
  remaining: StatBlock | undefined;
}

const breakers = [
  { limit: "maxConnections", count: "connections", open: "cx_open", remaining: "remaining_cx" },
  { limit: "maxRequests", count: "requests", open: "rq_open", remaining: "remaining_rq" },
  {
    limit: "maxPendingRequests",
    count: "pending",
    open: "rq_pending_open",
    remaining: "remaining_pending",
  },
  {
    limit: "maxRetries",
    count: "retries",
    open: "rq_retry_open",
    remaining: "remaining_retries",
  },
] as const;

export class CircuitBreakerStats implements Disposable {
  readonly #stats: MainStats;
  readonly #prefix: string;
  readonly #blocks: Readonly<Record<Priority, Blocks>>;

  /** `prefix`: `cluster.<name>.`. */
  constructor(stats: MainStats, prefix: string) {
    this.#stats = stats;
    this.#prefix = prefix;
    const blocks = (priority: Priority): Blocks => ({
      open: stats.allocator.allocate(openBreakerStats, this.#prefixOf(priority)),
      remaining: undefined,
    });
    this.#blocks = { default: blocks("default"), high: blocks("high") };
  }

  /** `count` reads one of the cluster's shared counters, which lie from `base` on. */
  refresh(
    limits: Readonly<Record<Priority, CircuitBreakerLimits>>,
    base: number,
    count: (index: number) => number,
  ): void {
    for (const [at, priority] of priorities.entries()) {
      const first = base + (at * clusterLimitSlots) / priorities.length;
      const counted = (name: keyof typeof clusterLimitOffsets): number =>
        count(first + clusterLimitOffsets[name]);
      this.#setOpen(priority, limits[priority], counted);
      if (limits[priority].trackRemaining) this.#setRemaining(priority, limits[priority], counted);
    }
  }

  [Symbol.dispose](): void {
    const { allocator } = this.#stats;
    for (const { open, remaining } of Object.values(this.#blocks)) {
      allocator.release(open);
      if (remaining !== undefined) allocator.release(remaining);
    }
  }

  #setOpen(
    priority: Priority,
    limits: CircuitBreakerLimits,
    count: (name: keyof typeof clusterLimitOffsets) => number,
  ): void {
    const { open } = this.#blocks[priority];
    for (const breaker of breakers) {
      const isOpen = count(breaker.count) >= limits[breaker.limit];
      this.#stats.slab.set(open, openBreakerStats.offset(breaker.open), isOpen ? 1 : 0);
    }
  }

  #setRemaining(
    priority: Priority,
    limits: CircuitBreakerLimits,
    count: (name: keyof typeof clusterLimitOffsets) => number,
  ): void {
    const blocks = this.#blocks[priority];
    const { allocator, slab } = this.#stats;
    blocks.remaining ??= allocator.allocate(remainingBreakerStats, this.#prefixOf(priority));
    for (const breaker of breakers) {
      const left = Math.max(0, limits[breaker.limit] - count(breaker.count));
      slab.set(blocks.remaining, remainingBreakerStats.offset(breaker.remaining), left);
    }
  }

  #prefixOf(priority: Priority): string {
    return `${this.#prefix}circuit_breakers.${priority}.`;
  }
}
