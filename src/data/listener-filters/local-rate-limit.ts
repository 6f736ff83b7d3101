/**
 * Closes connections beyond a rate (Envoy: `local_ratelimit` of listener filters), before anything else is spent on them.
 * The bucket is one for all workers.
 */
import type { LocalRateLimitConfig } from "../../shared/config/listener-filter-config.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import { localRateLimitStats } from "../../shared/stats/listener-filter-stats.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { Runtime } from "../upstream/worker-runtime.ts";
import type { ListenerFilter, ListenerFilterFactory } from "./listener-filter.ts";
import type { SharedTokenBucket } from "./shared-token-bucket.ts";

const rateLimited = localRateLimitStats.offset("rate_limited");

export interface LocalRateLimitParts {
  readonly config: LocalRateLimitConfig;
  readonly bucket: SharedTokenBucket;
  readonly runtime: Pick<Runtime, "isEnabled">;
  readonly reactor: Pick<Reactor, "nowMs">;
  readonly slab: StatSlab;
  readonly stats: StatBlock;
}

export function createLocalRateLimitFactory(parts: LocalRateLimitParts): ListenerFilterFactory {
  const { config, bucket, runtime, reactor, slab, stats } = parts;
  const filter: ListenerFilter = {
    maxReadBytes: 0,
    onAccept() {
      if (!runtime.isEnabled(config.enabled) || bucket.take(reactor.nowMs)) return "continue";
      slab.add(stats, rateLimited);
      return "close";
    },
    onData: () => "continue",
  };
  // It holds nothing of a connection.
  return { create: () => filter };
}
