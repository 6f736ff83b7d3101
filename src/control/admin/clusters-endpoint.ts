/**
 * `/clusters`: every active cluster with its limits, its hosts and their counters. Of canaries and success rates,
 * which nobody keeps here, it says what Envoy says where nobody does.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type {
  CircuitBreakerLimits,
  HealthFlag,
  HostConfig,
  Locality,
} from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { ClusterView, ClustersView } from "../cluster/cluster-view.ts";
import type { HostCounts } from "../cluster/host-counters.ts";
import { addressJson } from "./address-json.ts";
import { type AdminEndpoint, jsonResponse, textResponse } from "./endpoint.ts";
import { compileNameFilter } from "./name-filter.ts";

/** What is counted of a host in its block. */
export type CountsOf = (block: StatBlock) => HostCounts;

export function clustersEndpoint(view: () => ClustersView, countsOf: CountsOf): AdminEndpoint {
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
      const write = query.get("format") === "json" ? clusterJson : clusterText;
      const written = clusters.map((cluster) => write(cluster, countedHosts(cluster, countsOf)));
      if (write === clusterText) return textResponse(written.join(""));
      return jsonResponse(written.length > 0 ? { cluster_statuses: written } : {});
    },
  };
}

interface CountedHost {
  readonly host: HostConfig;
  readonly counts: HostCounts;
}

function countedHosts({ hosts, hostBlocks }: ClusterView, countsOf: CountsOf): CountedHost[] {
  return hosts.map((host, i) => ({ host, counts: countsOf(hostBlocks[i] ?? 0) }));
}

function clusterText(
  { name, config, version, isStatic }: ClusterView,
  hosts: readonly CountedHost[],
): string {
  const { default: normal, high } = config.circuitBreakers;
  const lines = [
    `observability_name::${config.statName}`,
    ...limitLines("default_priority", normal),
    ...limitLines("high_priority", high),
    `added_via_api::${!isStatic}`,
    ...(isStatic ? [] : [`version_info::${version}`]),
    ...hosts.flatMap((counted) =>
      hostFacts(counted).map(
        ([key, value]) => `${formatAddress(counted.host.address)}::${key}::${value}`,
      ),
    ),
  ];
  return lines.map((line) => `${name}::${line}\n`).join("");
}

function limitLines(priority: string, limits: CircuitBreakerLimits): string[] {
  return Object.entries(limitsJson(limits)).map(([key, value]) => `${priority}::${key}::${value}`);
}

/** Counters, by their names and in the order of the JSON form; the text form sorts them in with the gauges. */
function countersOf(counts: HostCounts): readonly (readonly [string, number])[] {
  return [
    ["cx_connect_fail", counts.cxConnectFail],
    ["cx_total", counts.cxTotal],
    ["rq_error", counts.rqError],
    ["rq_success", counts.rqSuccess],
    ["rq_timeout", counts.rqTimeout],
    ["rq_total", counts.rqTotal],
  ];
}

function gaugesOf(counts: HostCounts): readonly (readonly [string, number])[] {
  return [
    ["cx_active", counts.cxActive],
    ["rq_active", counts.rqActive],
    ["rq_pending_active", counts.rqPendingActive],
  ];
}

function hostFacts({ host, counts }: CountedHost): readonly (readonly [string, string | number])[] {
  const { region = "", zone = "", subZone = "" } = host.locality ?? {};
  const stats = [...countersOf(counts), ...gaugesOf(counts)];
  return [
    ...stats.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ["hostname", host.hostname],
    ["health_flags", flagsText(host)],
    ["weight", host.weight],
    ["region", region],
    ["zone", zone],
    ["sub_zone", subZone],
    ["canary", "false"],
    ["priority", host.priority],
    ["success_rate", -1],
    ["local_origin_success_rate", -1],
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

function clusterJson(
  { name, config, isStatic }: ClusterView,
  hosts: readonly CountedHost[],
): unknown {
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

function hostJson({ host, counts }: CountedHost): unknown {
  const { locality } = host;
  return {
    address: addressJson(host.address),
    stats: [
      ...countersOf(counts).map(([name, value]) => statJson(name, value)),
      ...gaugesOf(counts).map(([name, value]) => ({ type: "GAUGE", ...statJson(name, value) })),
    ],
    health_status: healthStatus(host),
    weight: host.weight,
    ...(host.hostname === "" ? {} : { hostname: host.hostname }),
    ...(host.priority === 0 ? {} : { priority: host.priority }),
    ...(locality ? { locality: localityJson(locality) } : {}),
  };
}

/** `envoy.admin.v3.SimpleMetric`: a counter unless it says otherwise; zero is left out. */
function statJson(name: string, value: number): object {
  return value === 0 ? { name } : { value: String(value), name };
}

function localityJson({ region, zone, subZone }: Locality): object {
  const fields = { region, zone, sub_zone: subZone };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

function limitsJson(limits: CircuitBreakerLimits): Readonly<Record<string, number>> {
  return {
    max_connections: limits.maxConnections,
    max_pending_requests: limits.maxPendingRequests,
    max_requests: limits.maxRequests,
    max_retries: limits.maxRetries,
  };
}
