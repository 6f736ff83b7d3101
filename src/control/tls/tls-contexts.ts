/** TLS contexts of the data path, by what they say: filter chains and clusters that say the same share one. */
import { messageOf } from "../../shared/common/errors.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { UpstreamTlsConfig, DownstreamTlsConfig } from "../config/tls-config.ts";
import { clientOrder, type ContextOrder, serverOrder } from "./context-order.ts";
import { ContextStats } from "./context-stats.ts";
import { type ContextObserver, HeldContext, type HeldContextParts } from "./held-context.ts";
import type { ShownCertificate } from "./shown-certificates.ts";

/** `sluice.tls.`: rotations that every worker has taken. */
const ownStats = defineStats({ counters: ["contexts_rotated"] });

export interface TlsContextLease extends Disposable {
  readonly isReady: boolean;
  /** It points at none. */
  readonly clusterNames: readonly string[];
  provideTo(worker: number): void;
}

/** Who uses a context. */
export interface ContextUser {
  /** `listener.<address>.`, `cluster.<name>.`. */
  readonly statPrefix: string;
  onReady(): void;
}

export interface TlsContextsParts extends Omit<HeldContextParts, "onRotated" | "pool"> {
  readonly pool: Pick<WorkerPool, "concurrency" | "postTo" | "request">;
  readonly stats: MainStats;
}

export class TlsContexts {
  readonly #parts: TlsContextsParts;
  readonly #held = new Map<string, HeldContext>();
  readonly #block: number;

  constructor(parts: TlsContextsParts) {
    this.#parts = parts;
    this.#block = parts.stats.allocator.allocate(ownStats, "sluice.tls.");
  }

  /** Of a filter chain. What can be told to be broken was refused before (`tlsErrorOf`). */
  acquireServer(config: DownstreamTlsConfig, user: ContextUser): TlsContextLease {
    return this.#acquire(serverOrder(config), user);
  }

  /** Of a cluster: every worker has it at once. */
  acquireClient(config: UpstreamTlsConfig, user: ContextUser): TlsContextLease {
    const lease = this.#acquire(clientOrder(config), user);
    for (let worker = 0; worker < this.#parts.pool.concurrency; worker++) lease.provideTo(worker);
    return lease;
  }

  /** By context. */
  certificates(): readonly (readonly ShownCertificate[])[] {
    return [...this.#held.values()].map(({ certificates }) => certificates);
  }

  #acquire(order: ContextOrder, user: ContextUser): TlsContextLease {
    const held = this.#held.get(order.key) ?? this.#open(order);
    if (!held) return refusedLease;
    const stats = new ContextStats(user.statPrefix, order.side, this.#parts.stats);
    const observer: ContextObserver = {
      onReady: () => user.onReady(),
      onChange(isNamed) {
        if (isNamed) stats.countUpdate();
        stats.setCertificates(held.certificates);
      },
    };
    held.observe(observer);
    stats.setCertificates(held.certificates);
    let isReleased = false;
    return {
      get isReady() {
        return held.isReady;
      },
      clusterNames: [],
      provideTo: (worker) => held.provideTo(worker),
      [Symbol.dispose]: () => {
        if (isReleased) return;
        isReleased = true;
        stats[Symbol.dispose]();
        this.#release(order.key, held, observer);
      },
    };
  }

  #open(order: ContextOrder): HeldContext | undefined {
    const { slab } = this.#parts.stats;
    try {
      const onRotated = (): void => slab.add(this.#block, ownStats.offset("contexts_rotated"));
      const held = new HeldContext(order, { ...this.#parts, onRotated });
      this.#held.set(order.key, held);
      return held;
    } catch (error) {
      this.#parts.log.error(`TLS context is refused: ${messageOf(error)}`);
      return undefined;
    }
  }

  #release(key: string, held: HeldContext, observer: ContextObserver): void {
    held.forget(observer);
    if (held.isUsed) return;
    this.#held.delete(key);
    held[Symbol.dispose]();
  }
}

/** Files may be gone since it was judged: connections are refused, as if a secret had not come. */
const refusedLease: TlsContextLease = {
  isReady: true,
  clusterNames: [],
  provideTo() {},
  [Symbol.dispose]() {},
};
