/** Matchers of strings, headers and query parameters. Expressions are judged by RE2's syntax. */
import { RE2JS } from "re2js";
import type {
  HeaderMatcher as ProtoHeaderMatcher,
  QueryParameterMatcher as ProtoQueryParameterMatcher,
} from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type {
  RegexMatchAndSubstitute,
  RegexMatcher,
} from "../../../gen/es/envoy/type/matcher/v3/regex_pb.d.ts";
import type { StringMatcher as EnvoyStringMatcher } from "../../../gen/es/envoy/type/matcher/v3/string_pb.d.ts";
import type { StringMatcher as XdsStringMatcher } from "../../../gen/es/xds/type/matcher/v3/string_pb.d.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RegexSource,
  StringMatcher,
} from "../../shared/config/matchers.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Longer expressions are refused: compiled they would take megabytes. */
const regexLengthMax = 32_768;

export function decodeRegex(
  matcher: Pick<RegexMatcher, "regex"> | undefined,
  context: DecodeContext,
): RegexSource {
  const source = matcher?.regex ?? "";
  try {
    if (source.length > regexLengthMax) throw new Error(`longer than ${regexLengthMax} characters`);
    RE2JS.compile(source);
  } catch (thrown) {
    context.refuse(`invalid regex '${source.slice(0, 200)}': ${messageOf(thrown)}`);
  }
  return { source };
}

/** A pattern and what it is replaced by: `\1` is a group, `\0` the match, `\\` a backslash. */
export function decodeRegexRewrite(
  rewrite: RegexMatchAndSubstitute,
  context: DecodeContext,
): { readonly regex: RegexSource; readonly substitution: string } {
  const regex = decodeRegex(rewrite.pattern, context);
  const { substitution } = rewrite;
  const groups = groupCount(regex.source);
  for (const [escape, group] of substitution.matchAll(/\\(.?)/gs)) {
    if (group === "\\" || (/^\d$/.test(group ?? "") && Number(group) <= groups)) continue;
    context.refuse(`invalid substitution '${substitution}' for '${regex.source}': ${escape}`);
  }
  return { regex, substitution };
}

function groupCount(source: string): number {
  try {
    return RE2JS.compile(source).groupCount();
  } catch {
    return 0;
  }
}

export function decodeStringMatcher(
  { matchPattern, ignoreCase }: EnvoyStringMatcher | XdsStringMatcher,
  context: DecodeContext,
): StringMatcher {
  switch (matchPattern.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      return { kind: matchPattern.case, value: matchPattern.value, ignoreCase };
    case "safeRegex":
      if (ignoreCase) context.refuse("ignore_case has no effect for safe_regex.");
      return { kind: "regex", regex: decodeRegex(matchPattern.value, context) };
    case "custom":
    case undefined:
      // Refused by the field policy or the validation rules.
      return { kind: "exact", value: "", ignoreCase };
    default:
      return matchPattern satisfies never;
  }
}

export function decodeHeaderMatcher(
  message: ProtoHeaderMatcher,
  context: DecodeContext,
): HeaderMatcher {
  return {
    name: message.name.toLowerCase(),
    match: headerMatch(message, context),
    invert: message.invertMatch,
    treatMissingAsEmpty: message.treatMissingHeaderAsEmpty,
  };
}

function headerMatch(
  { headerMatchSpecifier: specifier }: ProtoHeaderMatcher,
  context: DecodeContext,
): HeaderMatcher["match"] {
  const string = (kind: "exact" | "prefix" | "suffix" | "contains", value: string) =>
    ({ kind: "string", matcher: { kind, value, ignoreCase: false } }) as const;
  switch (specifier.case) {
    case "exactMatch":
      return string("exact", specifier.value);
    case "prefixMatch":
      return string("prefix", specifier.value);
    case "suffixMatch":
      return string("suffix", specifier.value);
    case "containsMatch":
      return string("contains", specifier.value);
    case "safeRegexMatch":
      return {
        kind: "string",
        matcher: { kind: "regex", regex: decodeRegex(specifier.value, context) },
      };
    case "stringMatch":
      return { kind: "string", matcher: decodeStringMatcher(specifier.value, context) };
    case "rangeMatch":
      return {
        kind: "range",
        start: Number(specifier.value.start),
        end: Number(specifier.value.end),
      };
    case "presentMatch":
      return { kind: "present", present: specifier.value };
    case undefined:
      // Docs: "if not specified, presence is enough".
      return { kind: "present", present: true };
    default:
      return specifier satisfies never;
  }
}

/** `present_match: false` wants the parameter absent, which nothing here can say. */
export function decodeQueryParameterMatcher(
  { name, queryParameterMatchSpecifier: specifier }: ProtoQueryParameterMatcher,
  context: DecodeContext,
): QueryParameterMatcher {
  if (specifier.case === "presentMatch" && !specifier.value)
    context.refuse(`query parameter '${name}': present_match: false is not supported`);
  if (specifier.case !== "stringMatch") return { name, matcher: undefined };
  return { name, matcher: decodeStringMatcher(specifier.value, context) };
}
