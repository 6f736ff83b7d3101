import type { TcpProxy } from "../../../gen/es/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.d.ts";
import type { WeightedCluster } from "../../shared/config/route-config.ts";
import type { TcpProxyConfig } from "../../shared/config/tcp-proxy-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import { decodeAccessLogs } from "./access-logs.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeTcpOnDemandClusters, feedDependency } from "./on-demand-clusters.ts";

/** Docs: `TcpProxy.idle_timeout`, "defaults to 1 hour; 0s disables it". */
const idleTimeoutMsDefault = 3_600_000;

export function decodeTcpProxy(
  message: TcpProxy,
  needs: ListenerNeeds,
  context: DecodeContext,
): TcpProxyConfig {
  const onDemand = message.onDemand && decodeTcpOnDemandClusters(message.onDemand, context);
  if (onDemand) needs.dependencies.push(feedDependency(onDemand));
  return {
    statPrefix: message.statPrefix,
    clusters: decodeClusters(message.clusterSpecifier),
    idleTimeoutMs: durationMsOr(message.idleTimeout, idleTimeoutMsDefault),
    maxConnectAttempts: message.maxConnectAttempts ?? 1,
    maxDownstreamConnectionDurationMs: durationMsOr(message.maxDownstreamConnectionDuration, 0),
    checkDrainClose: message.checkDrainClose ?? false,
    onDemand,
    accessLog: decodeAccessLogs(message.accessLog, context),
  };
}

function decodeClusters(specifier: TcpProxy["clusterSpecifier"]): readonly WeightedCluster[] {
  if (specifier.case === "cluster") return [{ name: specifier.value, weight: 1 }];
  return specifier.value?.clusters.map(({ name, weight }) => ({ name, weight })) ?? [];
}
