/**
 * What is to become of a listener that a push brings: the questions around `planUpdate`, in Envoy's order. Nothing is
 * touched here, so a plan that is only shown asks as the manager asks when it applies one; what is left to find out by
 * doing is whether the address can be bound.
 */
import type { DecodedListener, ListenerDependency } from "../config/decoded-listener.ts";
import type { ListenerFilterKind } from "../../shared/config/listener-filter-config.ts";
import type { ListenerFacts } from "../config/listener-facts.ts";
import { type ListenerComparison, planUpdate, type UpdatePlan } from "./listener-update.ts";

/** Taken with an ACK and not applied, with the reason. */
export type Verdict = UpdatePlan | { readonly kind: "skipped"; readonly reason: string };

/** A version that is there. */
export interface HeldVersion {
  readonly decoded: DecodedListener;
  readonly isStatic: boolean;
}

export interface HeldVersions {
  readonly active?: HeldVersion;
  readonly warming?: HeldVersion;
}

export interface JudgeRules {
  readonly comparison: ListenerComparison;
  readonly versionsOf: (name: string) => HeldVersions;
  /** Updates of it are skipped since `/drain_listeners`. */
  readonly isStopped: (facts: ListenerFacts) => boolean;
  /** Active or warming, whatever brought it. */
  readonly hasCluster: (name: string) => boolean;
  /** Workers can ask where a connection was going before the packet filter redirected it, and come from foreign addresses. */
  readonly knowsRedirects: boolean;
  /** Why a dependency can never be served; absent: each may. */
  readonly refusalOf?: ((dependency: ListenerDependency) => string | undefined) | undefined;
}

export const stoppedReason = "listeners are stopped by the admin";

/** `isStatic`: it is of the bootstrap. */
export function judgeListener(
  next: DecodedListener,
  isStatic: boolean,
  rules: JudgeRules,
): Verdict {
  const { facts } = next;
  const { active, warming } = rules.versionsOf(facts.name);
  if (rules.isStopped(facts)) return { kind: "skipped", reason: stoppedReason };
  if ((active ?? warming)?.isStatic === true) {
    return isStatic
      ? { kind: "refused", error: `duplicate listener ${facts.name} found` }
      : { kind: "skipped", reason: "the bootstrap has a listener of this name" };
  }
  const plan = planUpdate(
    { next, active: active?.decoded, warming: warming?.decoded },
    rules.comparison,
  );
  const error = warmsAnew(plan) ? refusalOf(next, rules) : undefined;
  return error === undefined ? plan : { kind: "refused", error };
}

/** A new version is made, with all that it needs. */
function warmsAnew({ kind }: UpdatePlan): boolean {
  return kind === "new" || kind === "live" || kind === "inPlace" || kind === "full";
}

function refusalOf(next: DecodedListener, rules: JudgeRules): string | undefined {
  if (!rules.knowsRedirects && asksForRedirects(next.facts))
    return "envoy.filters.listener.original_dst needs the epoll reactor";
  if (!rules.knowsRedirects && hasFilter(next.facts, "originalSource"))
    return "envoy.filters.listener.original_src needs the epoll reactor";
  const unknown = next.requiredClusters.find((name) => !rules.hasCluster(name));
  if (unknown !== undefined) return `route: unknown cluster '${unknown}'`;
  for (const dependency of next.dependencies) {
    const refusal = rules.refusalOf?.(dependency);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** A PROXY header tells as well where to, which is enough for whoever hands connections off by that. */
function asksForRedirects(facts: ListenerFacts): boolean {
  return hasFilter(facts, "originalDestination") && !hasFilter(facts, "proxyProtocol");
}

function hasFilter({ listenerFilters }: ListenerFacts, kind: ListenerFilterKind["kind"]): boolean {
  return listenerFilters.some(({ filter }) => filter.kind === kind);
}
