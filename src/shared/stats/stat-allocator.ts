/**
 * How an owner of stats gets its slots. The store behind it lives on main (`stat-store.ts`); owners see
 * this only, so that managers are tested without one.
 */
import type { StatSlab } from "./slab.ts";
import type { StatBlock, StatGroup } from "./stat-group.ts";

export interface StatAllocator {
  /**
   * A block for `group` under `prefix`, which ends in a dot: a member's full name is `prefix + name`
   * (`listener.127.0.0.1_80.` + `downstream_cx_total`). Counted by reference: the same group under the same
   * prefix gives the same block, so versions of a listener share their tree as Envoy's do. Several
   * groups may share a prefix. Without room it gives block 0, the sink, and counts that.
   */
  allocate(group: StatGroup, prefix: string): StatBlock;
  /** Gives one reference back. At the last one the names vanish and the slots are zeroed. */
  release(block: StatBlock): void;
  /** Of one counter or gauge over all threads. */
  total(block: StatBlock, offset: number): number;
}

/** What main's own stats need: names from the allocator, values in main's slab. */
export interface MainStats {
  readonly allocator: StatAllocator;
  readonly slab: StatSlab;
}
