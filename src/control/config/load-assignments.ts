/** Endpoints: `ClusterLoadAssignment`, by EDS or within a cluster. */
import type { ClusterLoadAssignment } from "../../../gen/es/envoy/config/endpoint/v3/endpoint_pb.d.ts";
import type {
  Endpoint_HealthCheckConfig as HealthCheckMessage,
  LbEndpoint,
  LocalityLbEndpoints,
} from "../../../gen/es/envoy/config/endpoint/v3/endpoint_components_pb.d.ts";
import type { Metadata } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type {
  Endpoint,
  EndpointHealth,
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
  { locality, lbEndpoints, loadBalancingWeight, priority, metadata }: LocalityLbEndpoints,
  rules: EndpointRules,
  context: DecodeContext,
): LocalityEndpoints {
  return {
    priority,
    weight: loadBalancingWeight,
    region: locality?.region ?? "",
    zone: locality?.zone ?? "",
    subZone: locality?.subZone ?? "",
    endpoints: lbEndpoints.flatMap((endpoint) => {
      const decoded = decodeEndpoint(endpoint, rules, context);
      return decoded ? { ...decoded, ...labelsOf(endpoint.metadata, metadata) } : [];
    }),
  };
}

/** Docs: `Cluster.transport_socket_matches`. */
const socketMatchKey = "envoy.transport_socket_match";

function labelsOf(
  own: Metadata | undefined,
  ofLocality: Metadata | undefined,
): Pick<Endpoint, "socketLabels"> {
  const endpoint = own?.filterMetadata[socketMatchKey];
  const locality = ofLocality?.filterMetadata[socketMatchKey];
  return endpoint || locality ? { socketLabels: { endpoint, locality } } : {};
}

/** By the numbers of `core.v3.HealthStatus`. */
const healths: readonly EndpointHealth[] = [
  "healthy",
  "healthy",
  "unhealthy",
  "draining",
  "timeout",
  "degraded",
];

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
    ...checkOf(hostIdentifier.value.healthCheckConfig, context),
  };
}

function checkOf(
  message: HealthCheckMessage | undefined,
  context: DecodeContext,
): Pick<Endpoint, "check"> {
  if (!message) return {};
  const { address, portValue: port, hostname, disableActiveHealthCheck: isDisabled } = message;
  const decoded = address && decodeEndpointAddress(address, context, { isResolved: false });
  return { check: { address: decoded, port, hostname, isDisabled } };
}
