/** Clusters: `envoy.config.cluster.v3.Cluster`, by CDS or in a bootstrap. Defaults are Envoy's. */
import { toBinary } from "@bufbuild/protobuf";
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { CircuitBreakers_Thresholds } from "../../../gen/es/envoy/config/cluster/v3/circuit_breaker_pb.d.ts";
import type {
  CircuitBreakerLimits,
  ClusterConfig,
  ClusterDiscovery,
} from "../../shared/config/cluster-config.ts";
import { sanitizeStatsName } from "../../shared/common/sanitize-stats-name.ts";
import { decodeSourceAddress } from "./addresses.ts";
import { durationMsOr } from "../proto/duration.ts";
import { hashOf } from "./canonical.ts";
import { decodeLbPolicy } from "./cluster-lb-policy.ts";
import { decodeClusterProtocol } from "./cluster-protocol.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ClusterHealthConfig, DecodedCluster, SocketMatch } from "./decoded-cluster.ts";
import { findExtension } from "./extensions.ts";
import { decodeHealthCheck } from "./health-checks.ts";
import { decodeLoadAssignment } from "./load-assignments.ts";
import { decodeOriginalDst } from "./original-dst-clusters.ts";
import { judgeResourceName } from "./resource-names.ts";
import { decodeClientSocket, upstreamSocketOf } from "./transport-sockets.ts";

export const clusterTypeName = "envoy.config.cluster.v3.Cluster" as const;

const connectTimeoutMsDefault = 5_000;
const bufferLimitBytesDefault = 1024 * 1024;
const dnsRefreshRateMsDefault = 5_000;
const panicThresholdDefault = 50;
/** Docs: `CircuitBreakers.Thresholds`; 1024 each, 3 retries. */
const limitsDefault: CircuitBreakerLimits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
};
/** Limits are Int32 atomics; beyond that Envoy's "unlimited" (2³²−1) is meant. */
const limitMax = 2 ** 31 - 1;

/** The message has passed `context.check`; `received` are the bytes it came in, if it came so. */
export function decodeCluster(
  message: Cluster,
  context: DecodeContext,
  received?: Uint8Array,
): DecodedCluster {
  const schema = context.protos.schema<Cluster>(clusterTypeName);
  const discovery = decodeDiscovery(message, context);
  const { loadAssignment, edsClusterConfig } = message;
  const tls = decodeClientSocket(message.transportSocket, context);
  const socketMatches = decodeSocketMatches(message, context);
  judgeNetworkFilters(message, context);
  const config: ClusterConfig = {
    name: message.name,
    statName: sanitizeStatsName(message.altStatName || message.name),
    discovery,
    ...decodeLbPolicy(message, context),
    connectTimeoutMs: durationMsOr(message.connectTimeout, connectTimeoutMsDefault),
    perConnectionBufferLimitBytes: message.perConnectionBufferLimitBytes ?? bufferLimitBytesDefault,
    ...decodeClusterProtocol(message, context),
    preconnectRatio: message.preconnectPolicy?.perUpstreamPreconnectRatio ?? 1,
    predictivePreconnectRatio: message.preconnectPolicy?.predictivePreconnectRatio ?? 1,
    circuitBreakers: decodeCircuitBreakers(message),
    healthyPanicThreshold:
      message.commonLbConfig?.healthyPanicThreshold?.value ?? panicThresholdDefault,
    failTrafficOnPanic: failsOnPanic(message),
    closeConnectionsOnHealthFailure: message.closeConnectionsOnHostHealthFailure,
    transportSocket: upstreamSocketOf(tls),
    ...decodeSource(message, context),
  };
  const isEds = discovery.kind === "eds";
  const rules = { isResolved: hasResolvedNames(message) };
  const edsConfig = isEds ? edsClusterConfig?.edsConfig : undefined;
  return {
    config,
    loadAssignment:
      loadAssignment && !isEds ? decodeLoadAssignment(loadAssignment, rules, context) : undefined,
    edsSource: edsConfig && decodeConfigSource(edsConfig, context),
    health: decodeHealth(message, config, context),
    tls,
    socketMatches,
    waitForWarmOnInit: message.waitForWarmOnInit ?? true,
    bytes: received ?? toBinary(schema, message),
    hash: hashOf(schema, message),
  };
}

function decodeSource(
  { upstreamBindConfig }: Cluster,
  context: DecodeContext,
): Pick<ClusterConfig, "sourceAddress"> {
  const source = upstreamBindConfig?.sourceAddress;
  return source ? { sourceAddress: decodeSourceAddress(source, context) } : {};
}

function decodeSocketMatches(
  { transportSocketMatches }: Cluster,
  context: DecodeContext,
): readonly SocketMatch[] {
  return transportSocketMatches.map(({ name, match, transportSocket }) => ({
    name,
    labels: match ?? {},
    tls: decodeClientSocket(transportSocket, context),
  }));
}

function failsOnPanic({ commonLbConfig }: Cluster): boolean {
  const { localityConfigSpecifier: locality } = commonLbConfig ?? {};
  return locality?.case === "zoneAwareLbConfig" && locality.value.failTrafficOnPanic;
}

function decodeHealth(
  message: Cluster,
  { protocol }: ClusterConfig,
  context: DecodeContext,
): ClusterHealthConfig | undefined {
  const check = decodeHealthCheck(message, protocol === "http2", context);
  return (
    check && {
      check,
      ignoreHealthOnHostRemoval: message.ignoreHealthOnHostRemoval,
      ignoreNewHostsUntilFirstCheck: message.commonLbConfig?.ignoreNewHostsUntilFirstHc ?? false,
    }
  );
}

/** By the numbers of `Cluster.DiscoveryType`. */
const discoveryTypes = ["STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"] as const;
/** By the numbers of `Cluster.DnsLookupFamily`. */
const lookupFamilies = ["auto", "v4Only", "v6Only", "v4Preferred", "all"] as const;

function decodeDiscovery(message: Cluster, context: DecodeContext): ClusterDiscovery {
  const { clusterDiscoveryType: chosen, edsClusterConfig, loadAssignment } = message;
  const type = discoveryTypes[chosen.case === "type" ? chosen.value : 0] ?? "STATIC";
  if (edsClusterConfig && type !== "EDS")
    context.refuse("eds_cluster_config set in a non-EDS cluster");
  switch (type) {
    case "STATIC":
      return { kind: "static" };
    case "STRICT_DNS":
      return {
        kind: "strictDns",
        refreshRateMs: durationMsOr(message.dnsRefreshRate, dnsRefreshRateMsDefault),
        respectTtl: message.respectDnsTtl,
        lookupFamily: lookupFamilies[message.dnsLookupFamily] ?? "auto",
      };
    case "EDS":
      if (!edsClusterConfig?.edsConfig)
        context.refuse("cannot create an EDS cluster without an EDS config");
      if (loadAssignment)
        context.warn(
          `${clusterTypeName}.load_assignment`,
          "the endpoints of an EDS cluster come by EDS",
        );
      judgeResourceName(edsClusterConfig?.serviceName ?? "", context);
      return { kind: "eds", serviceName: edsClusterConfig?.serviceName || message.name };
    case "ORIGINAL_DST":
      return decodeOriginalDst(message, context);
    case "LOGICAL_DNS":
      context.refuse(`cluster '${message.name}': type ${type} is not supported`);
      return { kind: "static" };
    default:
      return type satisfies never;
  }
}

/** Also of a type that is refused: its host names are no further error. */
function hasResolvedNames({ clusterDiscoveryType: chosen }: Cluster): boolean {
  const type = discoveryTypes[chosen.case === "type" ? chosen.value : 0];
  return type === "STRICT_DNS" || type === "LOGICAL_DNS";
}

function decodeCircuitBreakers({ circuitBreakers }: Cluster): ClusterConfig["circuitBreakers"] {
  const thresholds = circuitBreakers?.thresholds ?? [];
  // The first of a priority counts, as in Envoy.
  const limitsOf = (priority: number): CircuitBreakerLimits =>
    decodeLimits(thresholds.find((one) => Number(one.priority) === priority));
  return { default: limitsOf(0), high: limitsOf(1) };
}

function decodeLimits(thresholds: CircuitBreakers_Thresholds | undefined): CircuitBreakerLimits {
  if (!thresholds) return limitsDefault;
  const limit = (name: Exclude<keyof CircuitBreakerLimits, "trackRemaining">): number =>
    Math.min(thresholds[name] ?? limitsDefault[name], limitMax);
  return {
    maxConnections: limit("maxConnections"),
    maxPendingRequests: limit("maxPendingRequests"),
    maxRequests: limit("maxRequests"),
    maxRetries: limit("maxRetries"),
    ...(thresholds.trackRemaining && { trackRemaining: true }),
  };
}

function judgeNetworkFilters({ filters }: Cluster, context: DecodeContext): void {
  for (const { name, typedConfig, configDiscovery } of filters)
    if (!configDiscovery)
      findExtension("upstream network filter", { name, any: typedConfig }, context);
}
