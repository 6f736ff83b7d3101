/**
 * Compiles a matcher tree once, for many evaluations (Envoy: `MatchTreeFactory`). Pure: it knows neither what is looked at
 * nor what is done.
 *
 * What a newcomer would get wrong: an entry whose own tree finds nothing has not matched. Then the next candidate of the
 * same place is tried, and in the end `on_no_match`.
 */
import type { MatchBranch, MatchTree, OnMatch } from "../../shared/config/match-tree.ts";
import type { Evaluate, FindByValue, ReadInput } from "./evaluate.ts";
import { compileIpRanges } from "./ip-ranges.ts";
import { compilePredicate } from "./predicates.ts";
import { compilePrefixMap } from "./prefix-map.ts";
import { compileServerNames } from "./server-names.ts";

export function compileMatchTree<D, I, A>(
  tree: MatchTree<I, A>,
  readerOf: (input: I) => ReadInput<D>,
): Evaluate<D, A> {
  return new Compiler<D, I, A>(readerOf).tree(tree);
}

const findsNothing = (): undefined => undefined;

class Compiler<D, I, A> {
  readonly #readerOf: (input: I) => ReadInput<D>;

  constructor(readerOf: (input: I) => ReadInput<D>) {
    this.#readerOf = readerOf;
  }

  tree({ branch, onNoMatch }: MatchTree<I, A>): Evaluate<D, A> {
    const first = this.#branch(branch);
    if (!onNoMatch) return first;
    const otherwise = this.#onMatch(onNoMatch);
    return (data) => first(data) ?? otherwise(data);
  }

  #branch(branch: MatchBranch<I, A>): Evaluate<D, A> {
    switch (branch.kind) {
      case "empty":
        return findsNothing;
      case "list":
        return this.#list(branch);
      case "exactMap": {
        const map = new Map(this.#compiled(branch.entries));
        return this.#byValue(branch.input, (value, data) => map.get(value)?.(data));
      }
      case "prefixMap":
        return this.#byValue(branch.input, compilePrefixMap(this.#compiled(branch.entries)));
      case "ipRanges": {
        const ranges = branch.ranges.map((entry) => ({
          ...entry,
          evaluate: this.#onMatch(entry.onMatch),
        }));
        return this.#byValue(branch.input, compileIpRanges(ranges));
      }
      case "serverNames":
        return this.#byValue(branch.input, compileServerNames(this.#compiled(branch.entries)));
      default:
        return branch satisfies never;
    }
  }

  #list({ matchers }: Extract<MatchBranch<I, A>, { kind: "list" }>): Evaluate<D, A> {
    const compiled = matchers.map(({ predicate, onMatch }) => ({
      test: compilePredicate(predicate, this.#readerOf),
      evaluate: this.#onMatch(onMatch),
    }));
    return (data) => {
      for (const { test, evaluate } of compiled) {
        const found = test(data) ? evaluate(data) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    };
  }

  #byValue(input: I, find: FindByValue<D, A>): Evaluate<D, A> {
    const read = this.#readerOf(input);
    return (data) => {
      const value = read(data);
      return value === undefined ? undefined : find(value, data);
    };
  }

  #compiled(
    entries: readonly (readonly [string, OnMatch<I, A>])[],
  ): readonly (readonly [string, Evaluate<D, A>])[] {
    return entries.map(([key, onMatch]) => [key, this.#onMatch(onMatch)]);
  }

  /** `keep_matching`: whatever it finds is passed over, so it need not look (Envoy: `handleRecursionAndSkips`). */
  #onMatch({ keepsMatching, leadsTo }: OnMatch<I, A>): Evaluate<D, A> {
    if (keepsMatching) return findsNothing;
    if (leadsTo.kind === "tree") return this.tree(leadsTo.tree);
    const { action } = leadsTo;
    return () => action;
  }
}
