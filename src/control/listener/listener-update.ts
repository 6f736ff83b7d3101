/**
 * What an update means, decided before anything is touched. Envoy knows two answers for changed bytes, in
 * place or full, and one hash decides; here a change that means nothing disturbs nothing, and the fields
 * that decided are named.
 */
import type { DecodedListener } from "../config/decoded-listener.ts";

/** Made from the messages' descriptors by `control/config`. */
export interface ListenerComparison {
  /** The same meaning: repeated fields that are sets compared as sets, defaults filled in. */
  equivalent(a: DecodedListener, b: DecodedListener): boolean;
  /** Nothing differs but `filter_chains` and `default_filter_chain`. */
  isFilterChainOnlyChange(a: DecodedListener, b: DecodedListener): boolean;
  /** Top-level fields that differ, by their proto names. */
  changedFields(a: DecodedListener, b: DecodedListener): readonly string[];
}

export type UpdatePlan =
  /** The same bytes as what is there. */
  | { readonly kind: "unchanged" }
  /** Back to what is active while something else was warming: the warming one is dropped. */
  | { readonly kind: "revert" }
  /** Means what `target` means already: only its bytes and version are replaced. */
  | { readonly kind: "adopt"; readonly target: "active" | "warming" }
  | { readonly kind: "new" }
  | { readonly kind: "inPlace" | "full"; readonly changed: readonly string[] }
  | { readonly kind: "refused"; readonly error: string };

export interface UpdateSituation {
  readonly next: DecodedListener;
  readonly active: DecodedListener | undefined;
  readonly warming: DecodedListener | undefined;
}

/** Envoy's order of questions (`ListenerManagerImpl::addOrUpdateListenerInternal`). */
export function planUpdate(
  { next, active, warming }: UpdateSituation,
  comparison: ListenerComparison,
): UpdatePlan {
  const current = warming ?? active;
  if (!current) return { kind: "new" };
  if (active && warming && isSame(active, next, comparison)) return { kind: "revert" };
  if (current.hash === next.hash) return { kind: "unchanged" };
  if (comparison.equivalent(current, next)) {
    return { kind: "adopt", target: warming ? "warming" : "active" };
  }
  if (current.facts.enableReusePort !== next.facts.enableReusePort) {
    return { kind: "refused", error: reusePortChanged(next.facts.name) };
  }
  const base = active ?? current;
  const changed = comparison.changedFields(base, next);
  return { kind: isInPlace(active, next, comparison) ? "inPlace" : "full", changed };
}

/** Chains of the old version that the new one lacks: those are drained, all others keep their connections. */
export function removedFilterChains(
  old: DecodedListener["config"],
  next: DecodedListener["config"],
): readonly { readonly id: string; readonly name: string }[] {
  const kept = new Set(chainsOf(next).map((chain) => chain.id));
  return chainsOf(old).filter((chain) => !kept.has(chain.id));
}

function chainsOf(config: DecodedListener["config"]): DecodedListener["config"]["filterChains"] {
  const { filterChains, defaultFilterChain } = config;
  return defaultFilterChain ? [...filterChains, defaultFilterChain] : filterChains;
}

function isSame(a: DecodedListener, b: DecodedListener, comparison: ListenerComparison): boolean {
  return a.hash === b.hash || comparison.equivalent(a, b);
}

function isInPlace(
  active: DecodedListener | undefined,
  next: DecodedListener,
  comparison: ListenerComparison,
): boolean {
  return (
    active !== undefined &&
    next.config.filterChains.length > 0 &&
    comparison.isFilterChainOnlyChange(active, next)
  );
}

function reusePortChanged(name: string): string {
  return `Listener ${name}: reuse port cannot be changed during an update`;
}
