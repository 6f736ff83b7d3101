/**
 * Where workers count single hosts. A host keeps its block for as long as it is in its cluster, over all versions of
 * the cluster; when it comes back after it left, it begins at zero.
 *
 * What one would get wrong: a host that left is still counted, by requests under way and by workers that have not heard
 * of it. Its block is given to another one only after every worker has, and when nothing is open any more.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatAllocator } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { hostStats } from "../../shared/stats/stat-names.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";

/** Totals over all workers, and what is open now. */
export interface HostCounts {
  readonly cxTotal: number;
  readonly cxActive: number;
  readonly cxConnectFail: number;
  readonly rqTotal: number;
  readonly rqActive: number;
  readonly rqPendingActive: number;
  readonly rqSuccess: number;
  readonly rqError: number;
  readonly rqTimeout: number;
}

export function readHostCounts(
  allocator: Pick<StatAllocator, "total">,
  block: StatBlock,
): HostCounts {
  // What found no room is counted with all else that found none.
  const total = (name: Parameters<typeof hostStats.offset>[0]): number =>
    block === 0 ? 0 : allocator.total(block, hostStats.offset(name));
  return {
    cxTotal: total("cx_total"),
    cxActive: total("cx_total") - total("cx_ended"),
    cxConnectFail: total("cx_connect_fail"),
    rqTotal: total("rq_total"),
    rqActive: total("rq_total") - total("rq_ended"),
    rqPendingActive: total("rq_pending_total") - total("rq_pending_ended"),
    rqSuccess: total("rq_success"),
    rqError: total("rq_error"),
    rqTimeout: total("rq_timeout"),
  };
}

export class HostCounters {
  readonly #allocator: StatAllocator;
  readonly #pool: Pick<WorkerPool, "broadcast">;
  /** By cluster, then by address. */
  readonly #blocks = new Map<string, ReadonlyMap<string, StatBlock>>();
  /** Of hosts that left: not every worker has heard of it. */
  #leaving: StatBlock[] = [];
  /** Every worker has; what was open may still be. */
  #left: StatBlock[] = [];
  #isAsking = false;

  constructor(allocator: StatAllocator, pool: Pick<WorkerPool, "broadcast">) {
    this.#allocator = allocator;
    this.#pool = pool;
  }

  /** The blocks of a cluster's hosts, in their order. A second host of an address has none, as on workers. */
  assign(cluster: string, hosts: readonly HostConfig[]): readonly StatBlock[] {
    const before = this.#blocks.get(cluster);
    const now = new Map<string, StatBlock>();
    const blocks = hosts.map(({ address }) => {
      const key = formatAddress(address);
      if (now.has(key)) return 0;
      const block = before?.get(key) ?? this.#allocator.allocateUnnamed(hostStats);
      now.set(key, block);
      return block;
    });
    for (const [key, block] of before ?? []) if (!now.has(key)) this.#leaving.push(block);
    this.#blocks.set(cluster, now);
    return blocks;
  }

  remove(cluster: string): void {
    this.#leaving.push(...(this.#blocks.get(cluster)?.values() ?? []));
    this.#blocks.delete(cluster);
  }

  /** Now and then: gives back what nobody counts in any more. */
  sweep(): void {
    this.#left = this.#left.filter((block) => !this.#releaseIfIdle(block));
    if (this.#leaving.length === 0 || this.#isAsking) return;
    const heard = this.#leaving;
    this.#leaving = [];
    this.#isAsking = true;
    // Whatever was posted before this has been carried out when it is answered.
    void this.#pool
      .broadcast((reply) => ({ kind: "ping", reply }))
      .then(() => {
        this.#isAsking = false;
        this.#left.push(...heard);
      });
  }

  #releaseIfIdle(block: StatBlock): boolean {
    const { cxActive, rqActive, rqPendingActive } = readHostCounts(this.#allocator, block);
    if (cxActive + rqActive + rqPendingActive !== 0) return false;
    this.#allocator.releaseUnnamed(block, hostStats);
    return true;
  }
}
