/**
 * One host of one cluster. It outlives its membership for as long as a connection refers to it, so
 * holders ask `isMember` before they keep anything open to it.
 */
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { HostPool, TcpConnection, UpstreamCluster, UpstreamHost } from "./cluster-table.ts";

export class Host implements UpstreamHost {
  readonly cluster: UpstreamCluster;
  activeRequests = 0;
  http1Pool: HostPool | undefined = undefined;
  http2Pool: HostPool | undefined = undefined;
  readonly tcpConnections = new Set<TcpConnection>();
  readonly stats: StatBlock;
  #config: HostConfig;
  #isMember = true;

  constructor(cluster: UpstreamCluster, config: HostConfig, stats: StatBlock) {
    this.cluster = cluster;
    this.stats = stats;
    this.#config = config;
  }

  get config(): HostConfig {
    return this.#config;
  }

  get isMember(): boolean {
    return this.#isMember;
  }

  /**
   * Same address, new weight, priority or health. What is open stays, unless a health check fails the host: then
   * connections of pools end as they come free (Envoy: `onHostHealthFailure`), and TCP ones now if the cluster says so.
   */
  update(config: HostConfig): void {
    const fails = hasFailed(config) && !hasFailed(this.#config);
    const isSpokenToAnew = !isSameSocket(config, this.#config);
    this.#config = config;
    if (isSpokenToAnew) this.#drainPools();
    if (!fails) return;
    this.#drainPools();
    if (!this.cluster.config.closeConnectionsOnHealthFailure) return;
    for (const connection of this.tcpConnections) connection.close("flush");
  }

  /** The host left: idle connections close now, busy ones when their requests end. */
  leave(): void {
    this.#isMember = false;
    this.#drainPools();
  }

  #drainPools(): void {
    this.http1Pool?.drain();
    this.http2Pool?.drain();
  }
}

/** Metadata of an endpoint may choose another transport socket for it. */
function isSameSocket(
  { transportSocket: a }: HostConfig,
  { transportSocket: b }: HostConfig,
): boolean {
  if (a?.kind !== "tls" || b?.kind !== "tls") return a?.kind === b?.kind;
  return a.contextId === b.contextId;
}

function hasFailed({ flags }: HostConfig): boolean {
  return flags.includes("failed_active_hc");
}
