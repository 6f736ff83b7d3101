/** Where workers ask for the slots of calls that they count for the first time: of gRPC, by service and method. */
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { ClusterManager } from "./cluster-manager.ts";

export function answerGrpcStats(
  pool: Pick<WorkerPool, "postTo" | "subscribe">,
  clusters: Pick<ClusterManager, "grpcCallBlock">,
): Disposable {
  return pool.subscribe({
    onEvent(worker, event) {
      if (event.kind !== "grpcStatsWanted") return;
      const { cluster, prefix } = event;
      // Gone meanwhile: so has what the worker counted.
      const block = clusters.grpcCallBlock(cluster, prefix);
      if (block !== undefined)
        pool.postTo(worker, { kind: "setGrpcStats", cluster, prefix, block });
    },
  });
}
