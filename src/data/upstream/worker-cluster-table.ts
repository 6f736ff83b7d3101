/** The clusters of one worker, as main's commands change them (Envoy: `ThreadLocalClusterManagerImpl`). */
import type { SetCluster, SetGrpcStats, SetHosts } from "../../shared/protocol/worker-command.ts";
import { Cluster, type ClusterEnvironment } from "./cluster.ts";
import { ClusterActivity } from "./cluster-activity.ts";
import type { ClusterTable } from "./cluster-table.ts";
import { GrpcCalls } from "./grpc-calls.ts";

export class WorkerClusterTable implements ClusterTable {
  readonly #environment: ClusterEnvironment;
  readonly #clusters = new Map<string, Cluster>();

  constructor(environment: ClusterEnvironment) {
    this.#environment = environment;
  }

  get(name: string): Cluster | undefined {
    return this.#clusters.get(name);
  }

  /** The new one serves before the old one's hosts are told to go: there is no moment without. */
  set(command: SetCluster): void {
    const before = this.#clusters.get(command.config.name);
    // Connections of the old one are still counted under the same gauges.
    const { activity, grpcCalls } =
      before?.stats === command.stats ? before : this.#counters(command);
    const cluster = new Cluster({ ...command, activity, grpcCalls }, this.#environment);
    cluster.setHosts(command.hosts, command.hostBlocks);
    this.#clusters.set(command.config.name, cluster);
    before?.leave();
  }

  /** Does nothing for a cluster that is not there: it was removed while the hosts were under way. */
  setHosts({ cluster, hosts, hostBlocks }: SetHosts): void {
    this.#clusters.get(cluster)?.setHosts(hosts, hostBlocks);
  }

  /** Does nothing for a cluster that is not there, as above. */
  setGrpcStats({ cluster, prefix, block }: SetGrpcStats): void {
    this.#clusters.get(cluster)?.grpcCalls.setBlock(prefix, block);
  }

  /** A runtime key may override a limit of a cluster. */
  followRuntime(): void {
    for (const cluster of this.#clusters.values()) cluster.followRuntime();
  }

  remove(name: string): void {
    const cluster = this.#clusters.get(name);
    this.#clusters.delete(name);
    cluster?.leave();
    cluster?.grpcCalls.retire();
  }

  #counters({ config, stats }: SetCluster): Pick<Cluster, "activity" | "grpcCalls"> {
    const environment = this.#environment;
    const { slab } = environment;
    return {
      activity: new ClusterActivity(slab, stats),
      grpcCalls: new GrpcCalls({
        slab,
        want: (prefix) => environment.wantGrpcStats(config.name, prefix),
        countOverflow: () => environment.onGrpcNamesFull(),
      }),
    };
  }
}
