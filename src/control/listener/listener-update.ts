/**
 * What an update means, decided before anything is touched. Envoy knows two answers for changed bytes, in
 * place or full, and one hash decides; here a change that means nothing disturbs nothing, one that open connections
 * take up drains nothing, and the fields that decided are named. What is planned is what is applied: `sluice plan`
 * and the manager ask here alike.
 */
import type { DecodedListener } from "../config/decoded-listener.ts";

/** Made from the messages' descriptors by `control/config`. */
export interface ListenerComparison {
  /** The same meaning: repeated fields that are sets compared as sets, defaults filled in. */
  equivalent(a: DecodedListener, b: DecodedListener): boolean;
  /** Nothing differs but `filter_chains`, `default_filter_chain` and `filter_chain_matcher`. */
  isFilterChainOnlyChange(a: DecodedListener, b: DecodedListener): boolean;
  /** What differs: paths of proto names, down to a field of a filter. */
  changedFields(a: DecodedListener, b: DecodedListener): readonly string[];
  /** Open connections take up what is at such a path, as far as the path tells. */
  isLivePath(path: string): boolean;
}

/** An update of a listener that something else of its name is there for. */
export type UpdateKind = "live" | "inPlace" | "full";

export type UpdatePlan =
  /** The same bytes as what is there. */
  | { readonly kind: "unchanged" }
  /** Back to what is active while something else was warming: the warming one is dropped. */
  | { readonly kind: "revert" }
  /** Means what `target` means already: only its bytes and version are replaced. */
  | { readonly kind: "adopt"; readonly target: "active" | "warming" }
  | { readonly kind: "new" }
  /**
   * `live`: every filter chain stays, and connections take up what is new with their next request. `inPlace`: chains
   * that changed are replaced. `full`: the listener is. `changed`: the fields that decided it.
   */
  | { readonly kind: UpdateKind; readonly changed: readonly string[] }
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
  const kind = updateKind(active, next, comparison);
  const changed = comparison.changedFields(active ?? current, next);
  return { kind, changed: decidingFields(kind, changed, comparison) };
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

function updateKind(
  active: DecodedListener | undefined,
  next: DecodedListener,
  comparison: ListenerComparison,
): UpdateKind {
  if (active === undefined || next.config.filterChains.length === 0) return "full";
  if (!comparison.isFilterChainOnlyChange(active, next)) return "full";
  const isEveryChainKept =
    removedFilterChains(active.config, next.config).length === 0 &&
    removedFilterChains(next.config, active.config).length === 0;
  return isEveryChainKept ? "live" : "inPlace";
}

/** Of the fields that decided; who changes more than this has changed the listener. */
export const shownFieldsMax = 16;

/** Of all that changed, what a lesser kind would not have had; all of it where the paths do not tell. */
function decidingFields(
  kind: UpdateKind,
  changed: readonly string[],
  comparison: ListenerComparison,
): readonly string[] {
  const decides = (path: string): boolean => {
    if (kind === "full") return !isOfFilterChains(path);
    return kind === "live" || !comparison.isLivePath(path);
  };
  const deciding = changed.filter(decides);
  const fields = deciding.length > 0 ? deciding : changed;
  if (fields.length <= shownFieldsMax) return fields;
  return [...fields.slice(0, shownFieldsMax), `${fields.length - shownFieldsMax} more`];
}

function isOfFilterChains(path: string): boolean {
  return /^(filter_chain|default_filter_chain)/.test(path);
}

function reusePortChanged(name: string): string {
  return `Listener ${name}: reuse port cannot be changed during an update`;
}
