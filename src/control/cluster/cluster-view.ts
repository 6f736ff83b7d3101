/** What the cluster manager shows of itself: to `/clusters`, `/config_dump` and `/init_dump`. Snapshots. */
import type { ClusterConfig, HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";

export interface ClusterView {
  readonly name: string;
  readonly state: "warming" | "active";
  /** The xDS version that brought it; empty for clusters of the bootstrap. */
  readonly version: string;
  readonly isStatic: boolean;
  readonly config: ClusterConfig;
  readonly hosts: readonly HostConfig[];
  /** Where workers count each host (`hostStats`), in the order of the hosts; empty while it warms. */
  readonly hostBlocks: readonly StatBlock[];
  /** What a warming cluster waits for: `eds <name>`, `dns <host>`. */
  readonly awaiting: readonly string[];
  /** The `envoy.config.cluster.v3.Cluster` as received. */
  readonly bytes: Uint8Array;
  /** The last assignment by EDS as received (`include_eds`); undefined for the other kinds. */
  readonly assignment: AssignmentView | undefined;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
}

export interface AssignmentView {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** The last attempt under a name that was refused; gone with the next update that is processed. */
export interface ClusterErrorView {
  readonly name: string;
  readonly version: string;
  readonly details: string;
  readonly bytes: Uint8Array;
  readonly lastAttemptMs: number;
}

export interface ClustersView {
  readonly version: string;
  /** Warming, then active; within a set in order of addition. */
  readonly clusters: readonly ClusterView[];
  readonly errors: readonly ClusterErrorView[];
  /** Taken with an ACK and not applied, with the reason: the bootstrap has a cluster of the name. */
  readonly skipped: readonly ClusterErrorView[];
}

/** An active cluster as load reports see it: not a snapshot, what is counted goes on. */
export interface ClusterLoad {
  readonly config: ClusterConfig;
  readonly hosts: readonly HostConfig[];
  readonly hostBlocks: readonly StatBlock[];
  /** Where workers count the cluster itself (`clusterStats`). */
  readonly stats: StatBlock;
}
