/** Endpoints: `ClusterLoadAssignment`, by EDS or within a cluster. */
import type { ClusterLoadAssignment } from "../../../gen/es/envoy/config/endpoint/v3/endpoint_pb.d.ts";
import type {
  LbEndpoint,
  LocalityLbEndpoints,
} from "../../../gen/es/envoy/config/endpoint/v3/endpoint_components_pb.d.ts";
import type {
  Endpoint,
  LoadAssignment,
  LocalityEndpoints,
} from "../../shared/config/cluster-config.ts";
import { decodeEndpointAddress } from "./addresses.ts";
import type { DecodeContext } from "./decode-context.ts";

/** `isResolved`: the cluster resolves names, so an address may be one. */
export interface EndpointRules {
  readonly isResolved: boolean;
}

export function decodeLoadAssignment(
  message: ClusterLoadAssignment,
  rules: EndpointRules,
  context: DecodeContext,
): LoadAssignment {
  return {
    clusterName: message.clusterName,
    localities: message.endpoints.map((locality) => decodeLocality(locality, rules, context)),
  };
}

function decodeLocality(
  { locality, lbEndpoints, loadBalancingWeight, priority }: LocalityLbEndpoints,
  rules: EndpointRules,
  context: DecodeContext,
): LocalityEndpoints {
  return {
    priority,
    weight: loadBalancingWeight,
    region: locality?.region ?? "",
    zone: locality?.zone ?? "",
    subZone: locality?.subZone ?? "",
    endpoints: lbEndpoints.flatMap((endpoint) => decodeEndpoint(endpoint, rules, context) ?? []),
  };
}

/**
 * By the numbers of `core.v3.HealthStatus`: unknown counts as healthy, draining and timed out as
 * unhealthy (docs: intro/arch_overview/upstream/health_checking).
 */
const healths = ["healthy", "healthy", "unhealthy", "unhealthy", "unhealthy", "degraded"] as const;

function decodeEndpoint(
  { hostIdentifier, healthStatus, loadBalancingWeight }: LbEndpoint,
  rules: EndpointRules,
  context: DecodeContext,
): Endpoint | undefined {
  if (hostIdentifier.case !== "endpoint" || !hostIdentifier.value.address) {
    context.refuse("Address must be set: an endpoint without an address");
    return undefined;
  }
  const { address, hostname } = hostIdentifier.value;
  return {
    address: decodeEndpointAddress(address, context, rules),
    hostname,
    weight: loadBalancingWeight ?? 1,
    health: healths[healthStatus] ?? "unhealthy",
  };
}
