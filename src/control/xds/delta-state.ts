/**
 * The rules of the incremental protocol, without effects: what a response changes and what to send next.
 *
 * What one would get wrong: the stream forgets everything when it ends. The first request of a type on a
 * new one names the whole subscription again and says, by `initial_resource_versions`, what is held
 * already; no later request says that again (xDS protocol, "Incremental xDS").
 */
import {
  compareResources,
  type Comparison,
  type HeldResource,
  type Interest,
  refusalOf,
  type TypeRules,
} from "./comparison.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";

/** What the server was told on this stream. */
export interface DeltaProgress {
  readonly hasAsked: boolean;
  /** With `*` for everything, also where that was said by an empty list. */
  readonly subscribed: ReadonlySet<string>;
  /** Everything was asked for by saying nothing, which holds until a name is said. */
  readonly isImplied: boolean;
}

/** What to tell it next. */
export interface SubscriptionChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

export const noDeltaProgress: DeltaProgress = {
  hasAsked: false,
  subscribed: new Set(),
  isImplied: false,
};

const noChange: SubscriptionChange = { subscribe: [], unsubscribe: [] };

/** Compares by bytes. Only what is named in `removed_resources` is gone, and it may be an alias. */
export function compareDelta(
  held: ReadonlyMap<string, HeldResource>,
  response: DiscoveryResponse,
  rules: TypeRules,
  interest: Interest,
): Comparison {
  const { seen, empty, ...compared } = compareResources(held, response, rules, interest);
  const removedNames = new Set(response.removedNames);
  const contradictions = [...removedNames].filter((name) => seen.has(name));
  const isGone = (name: string): boolean => removedNames.has(name) && !seen.has(name);
  const refusals = contradictions.map((name) =>
    refusalOf(
      { name, version: "", typeUrl: rules.typeUrl, bytes: new Uint8Array(0) },
      {
        message: `duplicate name ${name} found in the union of added+removed resources`,
        isNamed: true,
      },
    ),
  );
  const isContradicted = new Set(contradictions);
  return {
    candidates: compared.candidates.filter(({ name }) => !isContradicted.has(name)),
    unchanged: compared.unchanged,
    rejected: [...compared.rejected, ...refusals],
    removed: [...removedNames].filter((name) => isGone(name) && held.has(name)),
    absent: [
      ...empty.filter((name) => interest.names.has(name)),
      ...[...removedNames].filter((name) => isGone(name) && interest.names.has(name)),
    ],
  };
}

/** What the server has to be told of the subscription; `undefined`: it knows everything. */
export function changeToTell(
  interest: Interest,
  progress: DeltaProgress,
): SubscriptionChange | undefined {
  const wanted = wantedBy(interest);
  if (!progress.hasAsked) {
    if (wanted.size === 0) return undefined;
    return isImpliedBy(interest) ? noChange : { ...noChange, subscribe: [...wanted] };
  }
  const { subscribed } = progress;
  const added = [...wanted].filter((name) => !subscribed.has(name));
  const unsubscribe = [...subscribed].filter((name) => !wanted.has(name));
  if (added.length === 0 && unsubscribe.length === 0) return undefined;
  // The first name that is said ends the meaning of having said nothing.
  const isEnding = progress.isImplied && interest.staysImplied !== true;
  const saysStar = isEnding && added.length > 0 && wanted.has("*");
  return { subscribe: saysStar ? ["*", ...added] : added, unsubscribe };
}

/** After a request went out that told everything there was to tell. */
export function afterTelling(interest: Interest, progress: DeltaProgress): DeltaProgress {
  const isImplied = progress.hasAsked
    ? progress.isImplied && isImpliedBy(interest)
    : isImpliedBy(interest);
  return { hasAsked: true, subscribed: wantedBy(interest), isImplied };
}

function wantedBy({ all, collection = "*", names }: Interest): ReadonlySet<string> {
  return all ? new Set([collection, ...names]) : names;
}

function isImpliedBy({ all, collection, names }: Interest): boolean {
  return all && collection === undefined && names.size === 0;
}
