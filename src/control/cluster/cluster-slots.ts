/**
 * Shared counters and stats of one cluster name, kept over its versions: circuit breakers stay exact while the
 * connections of an old version are still open.
 */
import { clusterLimitSlots, type TlsBlocks } from "../../shared/protocol/worker-command.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock, StatGroup } from "../../shared/stats/stat-group.ts";
import {
  clusterStats,
  grpcCallStats,
  http1Stats,
  http2Stats,
} from "../../shared/stats/stat-names.ts";
import { tlsFactoryStats, tlsStats } from "../../shared/stats/tls-stats.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import { CircuitBreakerStats } from "./circuit-breaker-stats.ts";
import { ClusterMembershipStats, dnsClusterStats } from "./cluster-stats.ts";

export type ClusterLimits = Pick<SharedLimits, "allocate" | "release" | "isZero" | "read">;

export interface ClusterStatBlocks {
  /** What workers count. */
  readonly worker: StatBlock;
  readonly membership: ClusterMembershipStats;
  readonly dns: StatBlock;
  readonly breakers: CircuitBreakerStats;
}

export class ClusterSlots {
  readonly limits: number;
  readonly #shared: ClusterLimits;
  readonly #stats: MainStats;
  /** By stat name: a version may come with another `alt_stat_name`. */
  readonly #blocks = new Map<string, ClusterStatBlocks>();
  /** Of versions that speak TLS. */
  readonly #tls = new Map<string, TlsBlocks>();
  /** Of codecs that versions speak, and of calls of gRPC, by their whole prefix. */
  readonly #byPrefix = new Map<string, StatBlock>();

  private constructor(limits: number, shared: ClusterLimits, stats: MainStats) {
    this.limits = limits;
    this.#shared = shared;
    this.#stats = stats;
  }

  /** Undefined: the shared memory is full. */
  static create(shared: ClusterLimits, stats: MainStats): ClusterSlots | undefined {
    const limits = shared.allocate(clusterLimitSlots);
    return limits === undefined ? undefined : new ClusterSlots(limits, shared, stats);
  }

  blocks(statName: string): ClusterStatBlocks {
    const known = this.#blocks.get(statName);
    if (known) return known;
    const prefix = `cluster.${statName}.`;
    const { allocator } = this.#stats;
    const blocks: ClusterStatBlocks = {
      worker: allocator.allocate(clusterStats, prefix),
      membership: new ClusterMembershipStats(this.#stats, prefix),
      dns: allocator.allocate(dnsClusterStats, prefix),
      breakers: new CircuitBreakerStats(this.#stats, prefix),
    };
    this.#blocks.set(statName, blocks);
    return blocks;
  }

  tlsBlocks(statName: string): TlsBlocks {
    const known = this.#tls.get(statName);
    if (known) return known;
    const prefix = `cluster.${statName}.`;
    const { allocator } = this.#stats;
    const blocks = {
      connection: allocator.allocate(tlsStats, prefix),
      factory: allocator.allocate(tlsFactoryStats, `${prefix}client_ssl_socket_factory.`),
    };
    this.#tls.set(statName, blocks);
    return blocks;
  }

  http1Block(statName: string): StatBlock {
    return this.#blockOf(http1Stats, `cluster.${statName}.http1.`);
  }

  http2Block(statName: string): StatBlock {
    return this.#blockOf(http2Stats, `cluster.${statName}.http2.`);
  }

  /** `prefix`: behind the cluster's own. */
  grpcCallBlock(statName: string, prefix: string): StatBlock {
    return this.#blockOf(grpcCallStats, `cluster.${statName}.${prefix}`);
  }

  #blockOf(group: StatGroup, prefix: string): StatBlock {
    const known = this.#byPrefix.get(prefix);
    if (known !== undefined) return known;
    const block = this.#stats.allocator.allocate(group, prefix);
    this.#byPrefix.set(prefix, block);
    return block;
  }

  /** Gives everything back once no worker counts anything any more; false: ask again later. */
  releaseIfUnused(): boolean {
    if (!this.#shared.isZero(this.limits, clusterLimitSlots)) return false;
    this.#shared.release(this.limits, clusterLimitSlots);
    for (const { worker, membership, dns, breakers } of this.#blocks.values()) {
      this.#stats.allocator.release(worker);
      this.#stats.allocator.release(dns);
      membership[Symbol.dispose]();
      breakers[Symbol.dispose]();
    }
    for (const { connection, factory } of this.#tls.values()) {
      this.#stats.allocator.release(connection);
      this.#stats.allocator.release(factory);
    }
    for (const block of this.#byPrefix.values()) this.#stats.allocator.release(block);
    this.#byPrefix.clear();
    this.#blocks.clear();
    this.#tls.clear();
    return true;
  }
}
