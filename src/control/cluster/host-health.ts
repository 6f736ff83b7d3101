/**
 * What is held against a host, from all who have a say: its endpoint's own status and the checks. Pure.
 * (Envoy: `HostImpl::coarseHealth` and `excludeBasedOnHealthFlag`.)
 */
import {
  type EndpointHealth,
  type HealthFlag,
  type HostConfig,
  healthFlags,
} from "../../shared/config/cluster-config.ts";

const edsFlags: Readonly<Record<EndpointHealth, HealthFlag | undefined>> = {
  healthy: undefined,
  degraded: "degraded_eds_health",
  unhealthy: "failed_eds_health",
  timeout: "failed_eds_health",
  draining: "eds_status_draining",
};

const failing: readonly HealthFlag[] = [
  "failed_active_hc",
  "failed_eds_health",
  "eds_status_draining",
];
const degrading: readonly HealthFlag[] = ["degraded_active_hc", "degraded_eds_health"];

export function endpointFlags(health: EndpointHealth): readonly HealthFlag[] {
  const flag = edsFlags[health];
  return flag ? [flag] : [];
}

/** The flags in the order in which they are shown, and what they come to. */
export function healthOf(held: Iterable<HealthFlag>): Pick<HostConfig, "health" | "flags"> {
  const all = new Set(held);
  const has = (some: readonly HealthFlag[]): boolean => some.some((flag) => all.has(flag));
  return {
    health: has(failing) ? "unhealthy" : has(degrading) ? "degraded" : "healthy",
    flags: healthFlags.filter((flag) => all.has(flag)),
  };
}
