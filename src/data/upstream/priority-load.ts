/**
 * How traffic is shared among priorities (docs: upstream/load_balancing/priority, …/panic_threshold;
 * Envoy: `LoadBalancerBase::recalculatePerPriorityState`). Pure: counts of hosts in, shares out.
 */

/** Healthy hosts count this much, in percent, so that a few failures spill nothing over. */
const overprovisioningPercent = 140;

export interface PriorityHealth {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}

export interface PriorityShare {
  readonly priority: number;
  /** `all`: the priority is in panic, health is not looked at. */
  readonly hosts: "healthy" | "degraded" | "all";
  /** Of 100. The shares of a result sum to 100, or there are none: no host can be tried. */
  readonly percent: number;
}

/** `priorities[i]` is priority i; `panicThreshold` in percent, 0 switches panic off. */
export function shareByPriority(
  priorities: readonly PriorityHealth[],
  panicThreshold: number,
): PriorityShare[] {
  const healthy = priorities.map(({ healthy: count, total }) => availability(count, total));
  const degraded = priorities.map(({ degraded: count, total }) => availability(count, total));
  const available = Math.min(100, sum(healthy) + sum(degraded));
  const inPanic = priorities.map((health) => available < 100 && isInPanic(health, panicThreshold));
  if (inPanic.every(Boolean)) return shareByHosts(priorities);
  if (available === 0) return [];
  return shareByHealth({ healthy, degraded, available, inPanic });
}

function shareByHealth(input: {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  readonly available: number;
  readonly inPanic: readonly boolean[];
}): PriorityShare[] {
  const shares: PriorityShare[] = [];
  let left = 100;
  const take = (hosts: "healthy" | "degraded", availabilities: readonly number[]): void => {
    for (const [priority, percentAvailable] of availabilities.entries()) {
      const percent = Math.min(left, Math.floor((percentAvailable * 100) / input.available));
      if (percent === 0) continue;
      shares.push({ priority, hosts: input.inPanic[priority] ? "all" : hosts, percent });
      left -= percent;
    }
  };
  take("healthy", input.healthy);
  take("degraded", input.degraded);
  // What rounding lost goes to the first priority that gets anything.
  const [head, ...rest] = shares;
  return head ? [{ ...head, percent: head.percent + left }, ...rest] : [];
}

/** All priorities are in panic: every host gets the same, whatever its health. */
function shareByHosts(priorities: readonly PriorityHealth[]): PriorityShare[] {
  const total = sum(priorities.map((health) => health.total));
  if (total === 0) return [];
  return priorities.flatMap((health, priority) =>
    health.total === 0
      ? []
      : [{ priority, hosts: "all" as const, percent: (health.total * 100) / total }],
  );
}

function availability(count: number, total: number): number {
  return total === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * count) / total));
}

function isInPanic(health: PriorityHealth, threshold: number): boolean {
  const percent =
    health.total === 0 ? 0 : ((health.healthy + health.degraded) * 100) / health.total;
  return percent < threshold;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
