/**
 * One version of one cluster: its configuration, where its hosts come from, and the hosts it has. Warming until the
 * first hosts; the manager decides what that means.
 */
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { ClusterSlots } from "./cluster-slots.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { HostSource } from "./host-source.ts";

export type ClusterState =
  /** Workers do not know it, or still have the version before. */
  | { readonly kind: "warming" }
  | { readonly kind: "active" }
  /** Replaced or removed: what its source still says is not heard. */
  | { readonly kind: "removed" };

export interface ClusterIdentity {
  /** Empty for the bootstrap. */
  readonly version: string;
  readonly isStatic: boolean;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
}

export class Cluster {
  readonly decoded: DecodedCluster;
  readonly identity: ClusterIdentity;
  readonly slots: ClusterSlots;
  state: ClusterState = { kind: "warming" };
  hosts: readonly HostConfig[] = [];
  /** Where workers count each host, in the order of the hosts. */
  hostBlocks: readonly StatBlock[] = [];
  readonly #source: HostSource;

  constructor(
    decoded: DecodedCluster,
    identity: ClusterIdentity,
    slots: ClusterSlots,
    createSource: (cluster: Cluster) => HostSource,
  ) {
    this.decoded = decoded;
    this.identity = identity;
    this.slots = slots;
    this.#source = createSource(this);
  }

  get name(): string {
    return this.decoded.config.name;
  }

  start(): void {
    this.#source.start();
  }

  remove(): void {
    this.state = { kind: "removed" };
    this.#source[Symbol.dispose]();
  }

  view(): ClusterView {
    const { config, bytes } = this.decoded;
    return {
      name: config.name,
      state: this.state.kind === "active" ? "active" : "warming",
      version: this.identity.version,
      isStatic: this.identity.isStatic,
      config,
      hosts: this.hosts,
      hostBlocks: this.hostBlocks,
      awaiting: this.state.kind === "warming" ? this.#source.awaiting : [],
      bytes,
      assignment: this.#source.assignment,
      lastUpdatedMs: this.identity.lastUpdatedMs,
    };
  }
}
