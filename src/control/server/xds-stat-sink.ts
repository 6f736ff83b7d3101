/** Where the xDS client's news is counted: Envoy's subscription block under the prefix of its subject. */
import { createHash } from "node:crypto";
import type { StatSlab } from "../../shared/stats/slab.ts";
import { sanitizeStatsName } from "../../shared/common/sanitize-stats-name.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { StatStore } from "../../shared/stats/stat-store.ts";
import {
  type SubscriptionIdentity,
  type SubscriptionStats,
  uncounted,
  type XdsStats,
} from "../xds/xds-stats.ts";

const subscriptionStats = defineStats({
  counters: [
    "update_attempt",
    "update_success",
    "update_rejected",
    "update_failure",
    "update_empty",
    "init_fetch_timeout",
  ],
  gauges: ["update_time", "version"],
  histograms: ["update_duration"],
});

const controlPlaneStats = defineStats({
  counters: ["rate_limit_enforced"],
  gauges: ["connected_state", "pending_requests"],
});

/** Envoy says it in the log alone. */
const ourStats = defineStats({ counters: ["ignored_responses"] });

/** `prefix`: of the management server, `control_plane.` for the aggregated one. */
export function createXdsStats(
  store: StatStore,
  slab: StatSlab,
  prefix = "control_plane.",
): XdsStats {
  store.setText(`${prefix}identifier`, "");
  const ours = store.allocate(ourStats, `sluice.${prefix}`);
  const controlPlane = store.allocate(controlPlaneStats, prefix);
  const setControlPlane = (
    name: Parameters<typeof controlPlaneStats.offset>[0],
    value: number,
  ): void => slab.set(controlPlane, controlPlaneStats.offset(name), value);
  return {
    subscription(which) {
      const prefix = prefixOf(which);
      return prefix === undefined ? uncounted : countSubscription(prefix, store, slab);
    },
    controlPlane: {
      connected: (isConnected) => setControlPlane("connected_state", isConnected ? 1 : 0),
      pendingRequests: (count) => setControlPlane("pending_requests", count),
      rateLimitEnforced: () =>
        slab.add(controlPlane, controlPlaneStats.offset("rate_limit_enforced")),
      ignored: () => slab.add(ours, ourStats.offset("ignored_responses")),
      identifier: (text) => store.setText(`${prefix}identifier`, text),
    },
  };
}

function countSubscription(prefix: string, store: StatStore, slab: StatSlab): SubscriptionStats {
  const block = store.allocate(subscriptionStats, prefix);
  store.setText(`${prefix}version_text`, "");
  type Name = Parameters<typeof subscriptionStats.offset>[0];
  const count = (name: Name): void => slab.add(block, subscriptionStats.offset(name));
  return {
    attempted: () => count("update_attempt"),
    succeeded({ version, timeMs, durationMs }) {
      count("update_success");
      slab.set(block, subscriptionStats.offset("update_time"), timeMs);
      slab.set(block, subscriptionStats.offset("version"), versionNumber(version));
      slab.record(block, subscriptionStats.offset("update_duration"), durationMs);
      store.setText(`${prefix}version_text`, version);
    },
    rejected: () => count("update_rejected"),
    failed: () => count("update_failure"),
    empty: () => count("update_empty"),
    initialFetchTimedOut: () => count("init_fetch_timeout"),
    [Symbol.dispose]() {
      store.setText(`${prefix}version_text`, undefined);
      store.release(block);
    },
  };
}

/** Undefined: Envoy does not count it by itself. */
function prefixOf({ shortName, name, statPrefix }: SubscriptionIdentity): string | undefined {
  const safeName = sanitizeStatsName(name);
  switch (shortName) {
    case "LDS":
      return "listener_manager.lds.";
    case "CDS":
      return statPrefix ?? "cluster_manager.cds.";
    case "EDS":
      return statPrefix ?? `cluster.${safeName}.`;
    case "VHDS":
      // Hosts that are asked for one by one belong to the subscription to all.
      return name === "*" ? statPrefix : undefined;
    case "SRDS":
      return statPrefix ?? "srds.";
    case "RDS":
      return `http.${statPrefix ?? "unknown"}.rds.${safeName}.`;
    case "ECDS":
      return statPrefix ?? `ecds.${safeName}.`;
    case "RTDS":
      return "runtime.";
    default:
      return `${shortName.toLowerCase()}.${safeName}.`;
  }
}

/**
 * A number that changes with the version text, exact in a double. Not Envoy's hash (xxHash64 does not fit one);
 * comparing it between two proxies of ours tells whether they have the same version, which is its use.
 */
function versionNumber(version: string): number {
  return createHash("sha1").update(version).digest().readUIntBE(0, 6);
}
