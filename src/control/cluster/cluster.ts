/**
 * One version of one cluster: its configuration, where its hosts come from, and the hosts it has. Warming until the
 * first hosts, and the first word about each secret of its TLS; the manager decides what that means.
 */
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { ClusterSlots } from "./cluster-slots.ts";
import type { ClusterSockets } from "./cluster-sockets.ts";
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

export interface ClusterMakers {
  readonly createSource: (cluster: Cluster) => HostSource;
  readonly createSockets: (cluster: Cluster) => ClusterSockets;
}

export class Cluster {
  readonly decoded: DecodedCluster;
  readonly identity: ClusterIdentity;
  readonly slots: ClusterSlots;
  state: ClusterState = { kind: "warming" };
  hosts: readonly HostConfig[] = [];
  /** Its source has given some, or said that there are none. */
  hasHosts = false;
  /** Where workers count each host, in the order of the hosts. */
  hostBlocks: readonly StatBlock[] = [];
  readonly #source: HostSource;
  readonly #sockets: ClusterSockets;

  constructor(
    decoded: DecodedCluster,
    identity: ClusterIdentity,
    slots: ClusterSlots,
    parts: ClusterMakers,
  ) {
    this.decoded = decoded;
    this.identity = identity;
    this.slots = slots;
    this.#source = parts.createSource(this);
    this.#sockets = parts.createSockets(this);
  }

  get name(): string {
    return this.decoded.config.name;
  }

  /** Warming and waiting for nothing. */
  get isWarm(): boolean {
    return this.state.kind === "warming" && this.hasHosts && this.#sockets.isReady;
  }

  start(): void {
    this.#source.start();
  }

  remove(): void {
    this.state = { kind: "removed" };
    this.#source[Symbol.dispose]();
    this.#sockets[Symbol.dispose]();
  }

  get #awaiting(): readonly string[] {
    return [...(this.hasHosts ? [] : this.#source.awaiting), ...this.#sockets.awaiting];
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
      awaiting: this.state.kind === "warming" ? this.#awaiting : [],
      bytes,
      assignment: this.#source.assignment,
      lastUpdatedMs: this.identity.lastUpdatedMs,
    };
  }
}
