/**
 * `/clusters`: every active cluster with its limits and hosts. Envoy also prints counters of each host;
 * none are kept here, and a line that would always say 0 is left out.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type {
  CircuitBreakerLimits,
  HealthFlag,
  HostConfig,
} from "../../shared/config/cluster-config.ts";
import type { ClusterView, ClustersView } from "../cluster/cluster-view.ts";
import { addressJson } from "./address-json.ts";
import { type AdminEndpoint, jsonResponse, textResponse } from "./endpoint.ts";
import { compileNameFilter } from "./name-filter.ts";

export function clustersEndpoint(view: () => ClustersView): AdminEndpoint {
  return {
    path: "/clusters",
    isMutation: false,
    help: "upstream cluster status",
    parameters: [
      { name: "filter", help: "Regular expression (RE2) for filtering clusters by name" },
      { name: "format", help: "File format to use", oneOf: ["text", "json"] },
    ],
    handle({ query }) {
      const names = compileNameFilter(query.get("filter"));
      if (!names.ok) return textResponse(names.error, 400);
      const clusters = view()
        .clusters.filter(({ name, state }) => state === "active" && names.matches(name))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
      if (query.get("format") !== "json") return textResponse(clusters.map(clusterText).join(""));
      return jsonResponse(
        clusters.length > 0 ? { cluster_statuses: clusters.map(clusterJson) } : {},
      );
    },
  };
}

function clusterText({ name, config, version, isStatic, hosts }: ClusterView): string {
  const { default: normal, high } = config.circuitBreakers;
  const lines = [
    `observability_name::${config.statName}`,
    ...limitLines("default_priority", normal),
    ...limitLines("high_priority", high),
    `added_via_api::${!isStatic}`,
    ...(isStatic ? [] : [`version_info::${version}`]),
    ...hosts.flatMap((host) =>
      hostFacts(host).map(([key, value]) => `${formatAddress(host.address)}::${key}::${value}`),
    ),
  ];
  return lines.map((line) => `${name}::${line}\n`).join("");
}

function limitLines(priority: string, limits: CircuitBreakerLimits): string[] {
  return Object.entries(limitsJson(limits)).map(([key, value]) => `${priority}::${key}::${value}`);
}

function hostFacts(host: HostConfig): readonly (readonly [string, string | number])[] {
  return [
    ["hostname", host.hostname],
    ["health_flags", flagsText(host)],
    ["weight", host.weight],
    ["priority", host.priority],
  ];
}

function flagsText({ flags }: HostConfig): string {
  return flags.length > 0 ? flags.map((flag) => `/${flag}`).join("") : "healthy";
}

/** Fields of `envoy.admin.v3.HostHealthStatus`; those of EDS are one. */
const statusFields: Readonly<Partial<Record<HealthFlag, string>>> = {
  failed_active_hc: "failed_active_health_check",
  degraded_active_hc: "failed_active_degraded_check",
  pending_dynamic_removal: "pending_dynamic_removal",
  pending_active_hc: "pending_active_hc",
  excluded_via_immediate_hc_fail: "excluded_via_immediate_hc_fail",
  active_hc_timeout: "active_hc_timeout",
};

function healthStatus({ flags }: HostConfig): Readonly<Record<string, unknown>> {
  const fields = flags.flatMap((flag) => statusFields[flag] ?? []);
  return {
    ...Object.fromEntries(fields.map((field) => [field, true])),
    eds_health_status: edsStatus(flags),
  };
}

function edsStatus(flags: readonly HealthFlag[]): string {
  if (flags.includes("failed_eds_health")) return "UNHEALTHY";
  if (flags.includes("eds_status_draining")) return "DRAINING";
  return flags.includes("degraded_eds_health") ? "DEGRADED" : "HEALTHY";
}

function clusterJson({ name, config, isStatic, hosts }: ClusterView): unknown {
  const { default: normal, high } = config.circuitBreakers;
  return {
    name,
    ...(isStatic ? {} : { added_via_api: true }),
    ...(hosts.length > 0 ? { host_statuses: hosts.map(hostJson) } : {}),
    circuit_breakers: {
      thresholds: [limitsJson(normal), { priority: "HIGH", ...limitsJson(high) }],
    },
    observability_name: config.statName,
  };
}

function hostJson(host: HostConfig): unknown {
  return {
    address: addressJson(host.address),
    health_status: healthStatus(host),
    weight: host.weight,
    ...(host.hostname === "" ? {} : { hostname: host.hostname }),
    ...(host.priority === 0 ? {} : { priority: host.priority }),
  };
}

function limitsJson(limits: CircuitBreakerLimits): Readonly<Record<string, number>> {
  return {
    max_connections: limits.maxConnections,
    max_pending_requests: limits.maxPendingRequests,
    max_requests: limits.maxRequests,
    max_retries: limits.maxRetries,
  };
}
