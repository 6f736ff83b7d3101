/** Matcher trees (`xds.type.matcher.v3`), what they look at and what they look for. */
import type { FieldTables } from "./field-table.ts";

const matcher = "xds.type.matcher.v3.Matcher";
const matching = "envoy.extensions.matching";
const inputs = `${matching}.common_inputs.network.v3`;

export const matcherFields: FieldTables = {
  [matcher]: { honoured: ["matcher_list", "matcher_tree", "on_no_match"], isMatcher: true },
  [`${matcher}.OnMatch`]: { honoured: ["matcher", "action", "keep_matching"], isMatcher: true },
  [`${matcher}.MatcherList`]: { honoured: ["matchers"], isMatcher: true },
  [`${matcher}.MatcherList.FieldMatcher`]: { honoured: ["predicate", "on_match"], isMatcher: true },
  [`${matcher}.MatcherList.Predicate`]: {
    honoured: ["single_predicate", "or_matcher", "and_matcher", "not_matcher"],
    isMatcher: true,
  },
  [`${matcher}.MatcherList.Predicate.SinglePredicate`]: {
    honoured: ["input", "value_match", "custom_match"],
    isMatcher: true,
  },
  [`${matcher}.MatcherList.Predicate.PredicateList`]: {
    honoured: ["predicate"],
    isMatcher: true,
  },
  [`${matcher}.MatcherTree`]: {
    honoured: ["input", "exact_match_map", "prefix_match_map", "custom_match"],
    isMatcher: true,
  },
  [`${matcher}.MatcherTree.MatchMap`]: { honoured: ["map"], isMatcher: true },
  "xds.type.matcher.v3.StringMatcher": {
    honoured: ["exact", "prefix", "suffix", "safe_regex", "contains", "ignore_case"],
    refused: { custom: "custom string matchers are not built" },
    isMatcher: true,
  },
  "xds.type.matcher.v3.RegexMatcher": { honoured: ["google_re2", "regex"], isMatcher: true },
  "xds.type.matcher.v3.RegexMatcher.GoogleRE2": "whole",
  "xds.type.matcher.v3.IPMatcher": { honoured: ["range_matchers"], isMatcher: true },
  "xds.type.matcher.v3.IPMatcher.IPRangeMatcher": {
    honoured: ["ranges", "on_match", "exclusive"],
    isMatcher: true,
  },
  "xds.type.matcher.v3.ServerNameMatcher": { honoured: ["domain_matchers"], isMatcher: true },
  "xds.type.matcher.v3.ServerNameMatcher.DomainMatcher": {
    honoured: ["domains", "on_match"],
    isMatcher: true,
  },
  "xds.core.v3.TypedExtensionConfig": "whole",
  "xds.core.v3.CidrRange": { honoured: ["address_prefix", "prefix_len"], isMatcher: true },
  "google.protobuf.StringValue": "whole",
  [`${matching}.input_matchers.ip.v3.Ip`]: {
    honoured: ["cidr_ranges"],
    warned: { stat_prefix: "what is no address is not counted" },
    isMatcher: true,
  },
  ...Object.fromEntries(
    [
      "DestinationIPInput",
      "DestinationPortInput",
      "SourceIPInput",
      "SourcePortInput",
      "DirectSourceIPInput",
      "SourceTypeInput",
      "ServerNameInput",
      "TransportProtocolInput",
      "ApplicationProtocolInput",
    ].map((name) => [`${inputs}.${name}`, { honoured: [], isMatcher: true }]),
  ),
};
