/** `cluster_manager.load_stats_config`: the server that is told of the clusters' load. */
import type { ApiConfigSource as ApiMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { clusterOf, decodeApiConfigSource } from "./api-config-sources.ts";
import type { GrpcApiSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";

/** The server is reached through clusters of the bootstrap: `staticClusters` are their names. */
export function decodeLoadStats(
  message: ApiMessage,
  staticClusters: readonly string[],
  context: DecodeContext,
): GrpcApiSource | undefined {
  return context.within("cluster_manager.load_stats_config", () => {
    const source = decodeApiConfigSource(message, context);
    if (source.apiType !== "grpc") {
      context.refuse("ApiConfigSource type must be of non-aggregated gRPC");
      return undefined;
    }
    for (const cluster of source.services.flatMap(clusterOf)) {
      if (!staticClusters.includes(cluster))
        context.refuse(`Unknown gRPC client cluster '${cluster}'`);
    }
    return source;
  });
}
