/** The clusters of one worker (Envoy: `ThreadLocalCluster`), with their hosts and what they pool. */
import type { ClusterConfig, HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { CircuitBreakers } from "./circuit-breakers.ts";

export interface ClusterTable {
  get(name: string): UpstreamCluster | undefined;
}

export interface UpstreamCluster {
  readonly config: ClusterConfig;
  readonly stats: StatBlock;
  readonly breakers: CircuitBreakers;
  /** By the cluster's policy; undefined when there is no host to try. */
  chooseHost(): UpstreamHost | undefined;
  /** Connections of a protocol to a host, made on first use and drained when the host leaves. */
  readonly hosts: readonly UpstreamHost[];
}

export interface UpstreamHost {
  readonly config: HostConfig;
  readonly cluster: UpstreamCluster;
  /** Requests and TCP connections under way from this worker: least request compares it. */
  activeRequests: number;
  /** Set by the protocol's pool; closed when the host or the cluster goes. */
  pool: HostPool | undefined;
  /** False once the host left the cluster: a pool must not keep connections to it. */
  readonly isMember: boolean;
}

/** Pooled connections of one host. */
export interface HostPool {
  /** Closes what is idle at once and the rest when their requests end. */
  drain(): void;
}
