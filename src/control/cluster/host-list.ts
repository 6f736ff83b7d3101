/** From an assignment to the flat list of hosts that workers balance over. */
import { formatAddress } from "../../shared/common/address.ts";
import type {
  Endpoint,
  HostConfig,
  LoadAssignment,
  LocalityEndpoints,
} from "../../shared/config/cluster-config.ts";
import { endpointFlags, healthOf } from "./host-health.ts";

/** What an endpoint has of the others in its locality. */
export type Group = Pick<HostConfig, "priority" | "locality">;

export function groupOf({ priority, region, zone, subZone }: LocalityEndpoints): Group {
  const isNamed = region !== "" || zone !== "" || subZone !== "";
  return isNamed ? { priority, locality: { region, zone, subZone } } : { priority };
}

export function hostOf(endpoint: Endpoint, group: Group): HostConfig {
  const { address, hostname, weight, health, check, socketLabels } = endpoint;
  return {
    address,
    hostname,
    weight,
    ...group,
    ...healthOf(endpointFlags(health)),
    ...(check && { check }),
    ...(socketLabels && { socketLabels }),
  };
}

/** An address that comes twice in a priority counts once, as in Envoy: the first wins. */
export function hostsOf(assignment: LoadAssignment): readonly HostConfig[] {
  const hosts = new Map<string, HostConfig>();
  for (const locality of assignment.localities) {
    const group = groupOf(locality);
    for (const endpoint of locality.endpoints) {
      const key = `${group.priority} ${formatAddress(endpoint.address)}`;
      if (!hosts.has(key)) hosts.set(key, hostOf(endpoint, group));
    }
  }
  return [...hosts.values()];
}

/** Whether the same addresses are in both, whatever else is said of them. */
export function areSameMembers(a: readonly HostConfig[], b: readonly HostConfig[]): boolean {
  if (a.length !== b.length) return false;
  const known = new Set(a.map(({ address }) => formatAddress(address)));
  return b.every(({ address }) => known.has(formatAddress(address)));
}

/** Whether workers would see a difference; the order of hosts is none. */
export function areSameHosts(a: readonly HostConfig[], b: readonly HostConfig[]): boolean {
  if (a.length !== b.length) return false;
  const known = new Set(a.map((host) => JSON.stringify(host)));
  return b.every((host) => known.has(JSON.stringify(host)));
}
