/**
 * What a push of listeners would do, told before it is made. It changes nothing, and it knows nothing that the manager
 * does not: each listener is judged by `judgeListener`, and what would drain is what `removedFilterChains` names.
 *
 * What a newcomer would get wrong: nothing drains of a listener that still warms, and what a full update drains is the
 * active version, whatever warms beside it.
 */
import type { DrainPolicy } from "../../shared/drain/drain.ts";
import type { DecodedListener } from "../config/decoded-listener.ts";
import type { ReadListener } from "../config/pushed-listeners.ts";
import { judgeListener, type JudgeRules, type Verdict } from "./listener-judge.ts";
import { removedFilterChains } from "./listener-update.ts";

/** `revert`: back to what is active, and what warms is dropped. The others as `UpdateClass`. */
export type PlannedClass =
  | "new"
  | "removed"
  | "unchanged"
  | "revert"
  | "equivalent"
  | "live"
  | "filterChains"
  | "full"
  | "skipped"
  | "refused";

export interface PlannedDrain {
  /** Those that would be gone; undefined: the whole listener. */
  readonly filterChains: readonly { readonly id: string; readonly name: string }[] | undefined;
  readonly policy: DrainPolicy;
}

export interface PlannedListener {
  readonly name: string;
  readonly class: PlannedClass;
  /** Paths of the fields that decided it. */
  readonly changed: readonly string[];
  /** Why it is refused, in the words of the NACK, or skipped. */
  readonly reason: string | undefined;
  readonly drain: PlannedDrain | undefined;
}

export interface PlannedPush {
  readonly listeners: Iterable<ReadListener>;
  /** The state of the world: what is not in it would be removed. */
  readonly isComplete: boolean;
}

export interface PlanRules extends JudgeRules {
  /** Of everything that is there. */
  readonly names: () => Iterable<string>;
  readonly drainDefaults: DrainPolicy;
}

/** One after the other, so that the caller may let others in between. */
export function* planPush(push: PlannedPush, rules: PlanRules): Iterable<PlannedListener> {
  const seen = new Set<string>();
  for (const pushed of push.listeners) {
    if (seen.has(pushed.name)) {
      yield refused(pushed.name, `duplicate listener ${pushed.name} found`);
      continue;
    }
    seen.add(pushed.name);
    if ("errors" in pushed) yield refused(pushed.name, pushed.errors.join("; "));
    else yield planned(pushed.decoded, rules);
  }
  if (!push.isComplete) return;
  for (const name of rules.names()) {
    const { active, warming } = rules.versionsOf(name);
    if (seen.has(name) || (active ?? warming)?.isStatic === true) continue;
    const drain = active && drainOf(active.decoded, undefined, rules);
    yield { name, class: "removed", changed: [], reason: undefined, drain };
  }
}

function planned(next: DecodedListener, rules: PlanRules): PlannedListener {
  const { name } = next.facts;
  const verdict = judgeListener(next, false, rules);
  return {
    name,
    class: classes[verdict.kind],
    changed: "changed" in verdict ? verdict.changed : [],
    reason: reasonOf(verdict),
    drain: drainBy(verdict, next, rules),
  };
}

const classes: Readonly<Record<Verdict["kind"], PlannedClass>> = {
  new: "new",
  unchanged: "unchanged",
  revert: "revert",
  adopt: "equivalent",
  live: "live",
  inPlace: "filterChains",
  full: "full",
  skipped: "skipped",
  refused: "refused",
};

function reasonOf(verdict: Verdict): string | undefined {
  if (verdict.kind === "refused") return verdict.error;
  return verdict.kind === "skipped" ? verdict.reason : undefined;
}

function drainBy(
  verdict: Verdict,
  next: DecodedListener,
  rules: PlanRules,
): PlannedDrain | undefined {
  const { active } = rules.versionsOf(next.facts.name);
  if (!active) return undefined;
  if (verdict.kind === "full") return drainOf(active.decoded, undefined, rules);
  if (verdict.kind !== "inPlace") return undefined;
  const chains = removedFilterChains(active.decoded.config, next.config);
  return chains.length === 0 ? undefined : drainOf(active.decoded, chains, rules);
}

/** As `ListenerDrains`: the old version's metadata over the process's flags. */
function drainOf(
  old: DecodedListener,
  chains: PlannedDrain["filterChains"],
  { drainDefaults }: PlanRules,
): PlannedDrain {
  return {
    filterChains: chains?.map(({ id, name }) => ({ id, name })),
    policy: { ...drainDefaults, ...old.facts.drainPolicy },
  };
}

function refused(name: string, reason: string): PlannedListener {
  return { name, class: "refused", changed: [], reason, drain: undefined };
}
