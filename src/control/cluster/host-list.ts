/** From an assignment to the flat list of hosts that workers balance over. */
import { formatAddress } from "../../shared/common/address.ts";
import type { Endpoint, HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import { endpointFlags, healthOf } from "./host-health.ts";

export function hostOf(endpoint: Endpoint, priority: number): HostConfig {
  const { address, hostname, weight, health, check } = endpoint;
  const host = { address, hostname, weight, priority, ...healthOf(endpointFlags(health)) };
  return check ? { ...host, check } : host;
}

/** An address that comes twice in a priority counts once, as in Envoy: the first wins. */
export function hostsOf(assignment: LoadAssignment): readonly HostConfig[] {
  const hosts = new Map<string, HostConfig>();
  for (const { priority, endpoints } of assignment.localities) {
    for (const endpoint of endpoints) {
      const key = `${priority} ${formatAddress(endpoint.address)}`;
      if (!hosts.has(key)) hosts.set(key, hostOf(endpoint, priority));
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
