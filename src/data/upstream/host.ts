/**
 * One host of one cluster. It outlives its membership for as long as a connection refers to it, so
 * holders ask `isMember` before they keep anything open to it.
 */
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { HostPool, UpstreamCluster, UpstreamHost } from "./cluster-table.ts";

export class Host implements UpstreamHost {
  readonly cluster: UpstreamCluster;
  activeRequests = 0;
  pool: HostPool | undefined = undefined;
  #config: HostConfig;
  #isMember = true;

  constructor(cluster: UpstreamCluster, config: HostConfig) {
    this.cluster = cluster;
    this.#config = config;
  }

  get config(): HostConfig {
    return this.#config;
  }

  get isMember(): boolean {
    return this.#isMember;
  }

  /** Same address, new weight, priority or health: what is pooled stays. */
  update(config: HostConfig): void {
    this.#config = config;
  }

  /** The host left: idle connections close now, busy ones when their requests end. */
  leave(): void {
    this.#isMember = false;
    this.pool?.drain();
  }
}
