/** Matchers as data; compiled once per worker. */

/** `envoy.type.matcher.v3.StringMatcher`. */
export type StringMatcher =
  | {
      readonly kind: "exact" | "prefix" | "suffix" | "contains";
      readonly value: string;
      readonly ignoreCase: boolean;
    }
  | { readonly kind: "regex"; readonly regex: RegexSource };

/** RE2 source, already judged on main; a full match is meant. */
export interface RegexSource {
  readonly source: string;
}

/** `envoy.config.route.v3.HeaderMatcher`. */
export interface HeaderMatcher {
  /** Lower case. */
  readonly name: string;
  readonly match:
    | { readonly kind: "present"; readonly present: boolean }
    | { readonly kind: "string"; readonly matcher: StringMatcher }
    | { readonly kind: "range"; readonly start: number; readonly end: number };
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

/** `envoy.config.route.v3.QueryParameterMatcher`. */
export interface QueryParameterMatcher {
  readonly name: string;
  /** Undefined: presence is enough. */
  readonly matcher: StringMatcher | undefined;
}
