/** A plan as it is told: to the admin's clients, to `sluice plan`, in JSON. Its names are those of the wire. */
import type { PlannedClass, PlannedListener } from "./push-plan.ts";

export interface PlanView {
  readonly listeners: readonly PlannedListenerView[];
  /** Listeners of each class; classes without any are left out. */
  readonly classes: Readonly<Partial<Record<PlannedClass, number>>>;
  /** Listeners of which something would drain. */
  readonly draining_listeners: number;
  /** Open connections that would; null: nobody knows. */
  readonly draining_connections: number | null;
}

export interface PlannedListenerView {
  readonly name: string;
  readonly class: PlannedClass;
  readonly changed: readonly string[];
  readonly reason: string | null;
  readonly drain: PlannedDrainView | null;
}

export interface PlannedDrainView {
  /** Null: the whole listener. */
  readonly filter_chains:
    | readonly { readonly name: string; readonly connections: number | null }[]
    | null;
  /** Open now; null: nobody knows. */
  readonly connections: number | null;
  readonly time_s: number;
  readonly strategy: "gradual" | "immediate";
}

/** Undefined: not to be known. */
export interface ConnectionCounts {
  ofListener(name: string): number | undefined;
  /** By the ids of its chains. */
  ofChains(name: string): Promise<ReadonlyMap<string, number> | undefined>;
}

/** Of files that are compared with each other: nothing runs. */
export const noConnections: ConnectionCounts = {
  ofListener: () => undefined,
  ofChains: () => Promise.resolve(undefined),
};

export async function planView(
  plans: readonly PlannedListener[],
  counts: ConnectionCounts,
): Promise<PlanView> {
  const listeners: PlannedListenerView[] = [];
  for (const plan of plans) listeners.push(await listenerView(plan, counts));
  const classes: Partial<Record<PlannedClass, number>> = {};
  for (const each of listeners) classes[each.class] = (classes[each.class] ?? 0) + 1;
  const drains = listeners.flatMap(({ drain }) => drain ?? []);
  return {
    listeners,
    classes,
    draining_listeners: drains.length,
    draining_connections: sum(drains.map(({ connections }) => connections)),
  };
}

async function listenerView(
  { name, class: plannedClass, changed, reason, drain }: PlannedListener,
  counts: ConnectionCounts,
): Promise<PlannedListenerView> {
  return {
    name,
    class: plannedClass,
    changed,
    reason: reason ?? null,
    drain: drain ? await drainView(name, drain, counts) : null,
  };
}

async function drainView(
  name: string,
  { filterChains, policy }: NonNullable<PlannedListener["drain"]>,
  counts: ConnectionCounts,
): Promise<PlannedDrainView> {
  const terms = { time_s: policy.timeMs / 1_000, strategy: policy.strategy };
  if (!filterChains)
    return { filter_chains: null, connections: counts.ofListener(name) ?? null, ...terms };
  const known = await counts.ofChains(name);
  const chains = filterChains.map((chain) => ({
    name: chain.name || chain.id,
    connections: known ? (known.get(chain.id) ?? 0) : null,
  }));
  return {
    filter_chains: chains,
    connections: sum(chains.map(({ connections }) => connections)),
    ...terms,
  };
}

/** Null if one is. */
function sum(counts: readonly (number | null)[]): number | null {
  let total = 0;
  for (const count of counts) {
    if (count === null) return null;
    total += count;
  }
  return total;
}
