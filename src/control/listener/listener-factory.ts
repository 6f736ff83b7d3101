/** Makes versions of listeners: numbers them, gives them their stats, counters and drain manager, binds them. */
import { formatAddress } from "../../shared/common/address.ts";
import { listenerTag } from "../../shared/common/brand.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import { Listener, type ListenerResource } from "./listener.ts";
import type { ListenerFacts } from "../config/listener-facts.ts";
import {
  allocateListenerSlots,
  type ConnectionCount,
  connectionCountSize,
} from "./listener-slots.ts";
import type { ListenerSockets } from "./listener-sockets.ts";
import type { UpdateKind, UpdatePlan } from "./listener-update.ts";

export interface ListenerFactoryContext {
  readonly pool: { readonly concurrency: number };
  readonly limits: Pick<SharedLimits, "allocate" | "release" | "write">;
  readonly stats: MainStats;
  readonly sockets: ListenerSockets;
  /** The server's node: listeners' drain managers are its children. */
  readonly drainManager: DrainManager;
  readonly log: Logger;
}

export interface ListenerOrder {
  readonly resource: ListenerResource;
  readonly plan: Extract<UpdatePlan, { kind: "new" | UpdateKind }>;
  readonly isStatic: boolean;
  /** The active version, whose tag an in-place update goes on with. */
  readonly active: Listener | undefined;
  readonly awaiting: ReadonlySet<string>;
}

export type CreateResult =
  | { readonly ok: true; readonly listener: Listener }
  /** `isCounted`: by `listener_create_failure`. */
  | { readonly ok: false; readonly isCounted: boolean; readonly error: string };

export class ListenerFactory {
  readonly #context: ListenerFactoryContext;
  /** By name: the last generation, and how many versions exist. */
  readonly #versions = new Map<string, { generation: number; count: number }>();
  #lastTag = 0;

  constructor(context: ListenerFactoryContext) {
    this.#context = context;
  }

  /** A bound listener, or what refuses it; nothing is held after an error. */
  async create(order: ListenerOrder): Promise<CreateResult> {
    const { facts } = order.resource.decoded;
    const base = keepsTag(order.plan.kind) ? order.active : undefined;
    const connections = base?.holdings.connections ?? this.#connectionCount(facts);
    if (!connections) {
      const error = `no room for the counters of listener '${facts.name}'`;
      return { ok: false, isCounted: true, error };
    }
    const listener = this.#build(order, base, connections);
    const acquired = await this.#context.sockets.acquire(facts, listener);
    if (!acquired.ok) {
      listener.release();
      this.versionIsGone(listener);
      if (!base) this.releaseTag(listener);
      return { ok: false, isCounted: acquired.kind === "unbound", error: acquired.error };
    }
    for (const address of acquired.outdated) {
      this.#context.log.warning(
        `listener '${facts.name}': the open socket of ${formatAddress(address)} keeps its socket options; ` +
          `new ones need another address, or the listener removed first`,
      );
    }
    listener.hold(acquired.leases);
    return { ok: true, listener };
  }

  /** Gives back what belongs to the tag: no worker holds it, and no version goes on with it. */
  releaseTag(listener: Listener): void {
    const { connections, drainManager } = listener.holdings;
    const { limits } = this.#context;
    // What token buckets hold counts nothing that is open.
    for (let i = 1; i < connections.size; i++) limits.write(connections.index + i, 0);
    limits.release(connections.index, connections.size);
    drainManager[Symbol.dispose]();
  }

  /** When no version of a name exists any more, the next one is generation 1 again. */
  versionIsGone(listener: Listener): void {
    const versions = this.#versions.get(listener.name);
    if (!versions) return;
    versions.count--;
    if (versions.count === 0) this.#versions.delete(listener.name);
  }

  #build(order: ListenerOrder, base: Listener | undefined, connections: ConnectionCount): Listener {
    const { resource, plan, isStatic, awaiting } = order;
    const { facts } = resource.decoded;
    const { pool, stats, drainManager } = this.#context;
    const identity = {
      name: facts.name,
      tag: base?.tag ?? listenerTag(++this.#lastTag),
      generation: this.#nextGeneration(facts.name),
      isStatic,
      updateClass: plan.kind === "inPlace" ? ("filterChains" as const) : plan.kind,
      changed: plan.kind === "new" ? [] : plan.changed,
    };
    const holdings = {
      slots: allocateListenerSlots(facts, pool.concurrency, connections, stats.allocator),
      connections,
      drainManager: base?.holdings.drainManager ?? drainManager.createChildManager(facts.drainType),
    };
    return new Listener(identity, holdings, resource, awaiting);
  }

  #nextGeneration(name: string): number {
    const versions = this.#versions.get(name) ?? { generation: 0, count: 0 };
    this.#versions.set(name, versions);
    versions.count++;
    return ++versions.generation;
  }

  #connectionCount(facts: ListenerFacts): ConnectionCount | undefined {
    const size = connectionCountSize(facts);
    const index = this.#context.limits.allocate(size);
    return index === undefined ? undefined : { index, size };
  }
}

/** To workers it is the listener that they have. */
function keepsTag(kind: ListenerOrder["plan"]["kind"]): boolean {
  return kind === "live" || kind === "inPlace";
}
