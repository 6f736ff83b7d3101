/**
 * A tree of matchers as data: `xds.type.matcher.v3.Matcher`, resolved and judged. What is looked at (`I`) and what is done
 * (`A`) are the user's own: filter chains have it of connections, others may of requests.
 *
 * What a newcomer would get wrong: whoever leads nowhere is no match. A tree below an entry that finds nothing gives the
 * word back, and the search goes on where it came from.
 */
import type { CidrRange } from "./cidr-range.ts";
import type { StringMatcher } from "./matchers.ts";

export interface MatchTree<I, A> {
  readonly branch: MatchBranch<I, A>;
  readonly onNoMatch: OnMatch<I, A> | undefined;
}

export type MatchBranch<I, A> =
  /** Neither a list nor a tree: only `onNoMatch` is left. */
  | { readonly kind: "empty" }
  | { readonly kind: "list"; readonly matchers: readonly FieldMatcher<I, A>[] }
  | {
      readonly kind: "exactMap" | "prefixMap";
      readonly input: I;
      readonly entries: readonly MatchEntry<I, A>[];
    }
  | {
      readonly kind: "ipRanges";
      readonly input: I;
      readonly ranges: readonly IpRangeEntry<I, A>[];
    }
  /** Keys as `a.test`, `*.test` and `*`. */
  | {
      readonly kind: "serverNames";
      readonly input: I;
      readonly entries: readonly MatchEntry<I, A>[];
    };

export interface OnMatch<I, A> {
  /** `keep_matching`: it is passed, and the search goes on as if nothing had been found. */
  readonly keepsMatching: boolean;
  readonly leadsTo:
    | { readonly kind: "tree"; readonly tree: MatchTree<I, A> }
    | { readonly kind: "action"; readonly action: A };
}

export type MatchEntry<I, A> = readonly [key: string, onMatch: OnMatch<I, A>];

export interface FieldMatcher<I, A> {
  readonly predicate: MatchPredicate<I>;
  readonly onMatch: OnMatch<I, A>;
}

export type MatchPredicate<I> =
  | { readonly kind: "single"; readonly input: I; readonly test: ValueTest }
  | { readonly kind: "or" | "and"; readonly predicates: readonly MatchPredicate<I>[] }
  | { readonly kind: "not"; readonly predicate: MatchPredicate<I> };

export type ValueTest =
  | { readonly kind: "string"; readonly matcher: StringMatcher }
  /** `envoy.extensions.matching.input_matchers.ip.v3.Ip`. */
  | { readonly kind: "ip"; readonly ranges: readonly CidrRange[] };

export interface IpRangeEntry<I, A> {
  readonly ranges: readonly CidrRange[];
  /** Not looked at where a longer prefix holds the address, whatever that one leads to. */
  readonly isExclusive: boolean;
  readonly onMatch: OnMatch<I, A>;
}

/** `envoy.extensions.matching.common_inputs.network.v3`, by what they read of a connection. */
export type ConnectionInput =
  | "destinationIp"
  | "destinationPort"
  | "sourceIp"
  | "sourcePort"
  | "directSourceIp"
  | "sourceType"
  | "serverName"
  | "transportProtocol"
  | "applicationProtocol";

/** `Listener.filter_chain_matcher`; the action names a filter chain, which need not be there. */
export type ChainMatchTree = MatchTree<ConnectionInput, string>;
