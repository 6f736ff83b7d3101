/**
 * Predicates of a matcher list. A value that is not there matches nothing, so its `not_matcher` holds (Envoy:
 * `SingleFieldMatcher`, `NotFieldMatcher`).
 */
import type { MatchPredicate, ValueTest } from "../../shared/config/match-tree.ts";
import { stringTest } from "../../shared/tls/string-test.ts";
import { compileIpSet } from "./ip-ranges.ts";
import type { ReadInput } from "./evaluate.ts";

export type Holds<D> = (data: D) => boolean;

export function compilePredicate<D, I>(
  predicate: MatchPredicate<I>,
  readerOf: (input: I) => ReadInput<D>,
): Holds<D> {
  const compile = (one: MatchPredicate<I>): Holds<D> => compilePredicate(one, readerOf);
  switch (predicate.kind) {
    case "single": {
      const read = readerOf(predicate.input);
      const test = compileTest(predicate.test);
      return (data) => {
        const value = read(data);
        return value !== undefined && test(value);
      };
    }
    case "or": {
      const any = predicate.predicates.map(compile);
      return (data) => any.some((holds) => holds(data));
    }
    case "and": {
      const all = predicate.predicates.map(compile);
      return (data) => all.every((holds) => holds(data));
    }
    case "not": {
      const holds = compile(predicate.predicate);
      return (data) => !holds(data);
    }
    default:
      return predicate satisfies never;
  }
}

function compileTest(test: ValueTest): (value: string) => boolean {
  return test.kind === "string" ? stringTest(test.matcher) : compileIpSet(test.ranges);
}
