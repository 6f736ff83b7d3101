/** `xds.type.matcher.v3.Matcher` as JSON, for filter chains. */
const inputs = "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3";

const inputOf = (name: string) => ({
  name,
  typed_config: { "@type": `${inputs}.${name}Input` },
});

/** An action: the filter chain of the name. */
export const to = (chain: string) => ({
  action: {
    name: "chain",
    typed_config: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: chain },
  },
});

export interface Single {
  readonly single: string;
  readonly value: object;
}
export type Predicate = Single | { readonly message: object };

const messageOf = (predicate: Predicate): object =>
  "message" in predicate
    ? predicate.message
    : { single_predicate: { input: inputOf(predicate.single), value_match: predicate.value } };

export const exactly = (single: string, exact: string): Single => ({ single, value: { exact } });

export const not = (predicate: Predicate): Predicate => ({
  message: { not_matcher: messageOf(predicate) },
});

export const all = (...predicates: readonly Predicate[]): Predicate => ({
  message: { and_matcher: { predicate: predicates.map(messageOf) } },
});

export const some = (...predicates: readonly Predicate[]): Predicate => ({
  message: { or_matcher: { predicate: predicates.map(messageOf) } },
});

export const isIn = (input: string, prefix: string, length: number): Predicate => ({
  message: {
    single_predicate: {
      input: inputOf(input),
      custom_match: {
        name: "ip",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.matching.input_matchers.ip.v3.Ip",
          cidr_ranges: [{ address_prefix: prefix, prefix_len: length }],
          stat_prefix: "p",
        },
      },
    },
  },
});

export function list(
  matchers: readonly (readonly [Predicate, object])[],
  onNoMatch?: object,
): object {
  return {
    matcher_list: {
      matchers: matchers.map(([predicate, onMatch]) => ({
        predicate: messageOf(predicate),
        on_match: onMatch,
      })),
    },
    on_no_match: onNoMatch,
  };
}

type Entries = Readonly<Record<string, object>>;

export const map = (input: string, entries: Entries, more: object = {}): object => ({
  matcher_tree: { input: inputOf(input), exact_match_map: { map: entries } },
  ...more,
});

export const byPort = (entries: Entries, onNoMatch?: object): object =>
  map("DestinationPort", entries, onNoMatch && { on_no_match: onNoMatch });

export const under = (input: string, entries: Entries, onNoMatch?: object): object => ({
  matcher_tree: { input: inputOf(input), prefix_match_map: { map: entries } },
  on_no_match: onNoMatch,
});

/** `type`: of `xds.type.matcher.v3`. */
export const custom = (
  input: string,
  type: string,
  fields: object,
  onNoMatch?: object,
): object => ({
  matcher_tree: {
    input: inputOf(input),
    custom_match: {
      name: "custom",
      typed_config: { "@type": `type.googleapis.com/xds.type.matcher.v3.${type}`, ...fields },
    },
  },
  on_no_match: onNoMatch,
});
