/** Opens VHDS for the route configurations that ask for it, and counts what becomes of them. */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { VirtualHostChange } from "../../shared/config/route-config.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { ClusterWarming } from "../cluster/cluster-warming.ts";
import { type VirtualHostFeed, VhdsSubscription } from "./vhds-subscription.ts";

/** Where virtual hosts come from; a text: from nowhere, and why. */
export type VirtualHostSource = (
  source: ConfigSource,
  statPrefix: string,
) => VirtualHostFeed | string;

/** `http.<p>.rds.vhds.<route configuration>.`, beside the subscription's own. */
const vhdsStats = defineStats({ counters: ["config_reload"] });
/** `sluice.vhds.`: bounds that were hit. */
const ownStats = defineStats({ counters: ["wanted_hosts_overflow"] });

export interface VhdsApiContext {
  readonly source: VirtualHostSource;
  readonly stats: MainStats;
  readonly warming: ClusterWarming;
  readonly hasCluster: (name: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DiscoveringRoutes {
  readonly name: string;
  /** The connection manager's. */
  readonly statPrefix: string;
  readonly source: ConfigSource;
  readonly onChange: (change: VirtualHostChange) => void;
  readonly onAnswered: () => void;
}

export class VhdsApi {
  readonly #context: VhdsApiContext;
  readonly #own: number;

  constructor(context: VhdsApiContext) {
    this.#context = context;
    this.#own = context.stats.allocator.allocate(ownStats, "sluice.vhds.");
  }

  /** Undefined, and said: there is no source. */
  open(routes: DiscoveringRoutes): VhdsSubscription | undefined {
    const { source, stats, log, ...context } = this.#context;
    const { name, onChange, onAnswered } = routes;
    const prefix = `http.${routes.statPrefix}.rds.vhds.${name}.`;
    const feed = source(routes.source, prefix);
    if (typeof feed === "string") {
      log.warning(`vhds: route configuration '${name}' has no source of virtual hosts: ${feed}`);
      return undefined;
    }
    const block = stats.allocator.allocate(vhdsStats, prefix);
    return new VhdsSubscription({
      ...context,
      name,
      feed,
      log,
      onAnswered,
      onChange: (change) => {
        stats.slab.add(block, vhdsStats.offset("config_reload"));
        onChange(change);
      },
      onDisposed: () => stats.allocator.release(block),
      countOverflow: () => stats.slab.add(this.#own, ownStats.offset("wanted_hosts_overflow")),
    });
  }
}
