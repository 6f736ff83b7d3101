/**
 * Connections to the hosts whose turn comes after the one that was chosen, for requests that may follow this one
 * (`predictive_preconnect_ratio`; Envoy: `ClusterManagerImpl::maybePreconnect`).
 */
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { UpstreamCluster } from "../../upstream/cluster-table.ts";
import { httpPoolOf } from "./http-pool.ts";
import { connectionsAtOnceMax, roomWanted } from "./preconnect.ts";

/** Called before the request is counted. */
export function preconnectAhead(
  cluster: UpstreamCluster,
  environment: UpstreamEnvironment,
  isHttp2Request: boolean,
): void {
  const { activity, config } = cluster;
  const ratio = config.predictivePreconnectRatio;
  if (ratio <= 1) return;
  for (let i = 0; i < connectionsAtOnceMax; i++) {
    const demand = { waiting: activity.pending + 1, active: activity.requests };
    if (hasRoom(cluster, roomWanted(demand, ratio))) return;
    const host = cluster.peekHost();
    if (host === undefined) return;
    if (!httpPoolOf(host, environment, isHttp2Request).openAhead(ratio)) return;
  }
}

/** Looks at no more hosts than it must. */
function hasRoom({ hosts }: UpstreamCluster, wanted: number): boolean {
  let room = 0;
  for (const { http1Pool, http2Pool } of hosts) {
    room += (http1Pool?.room ?? 0) + (http2Pool?.room ?? 0);
    if (room >= wanted) return true;
  }
  return false;
}
