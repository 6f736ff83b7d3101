/**
 * Matchers of the configuration made ready: closures over constants, called with text of the request.
 * Nothing here keeps text; header values are read from the table only when a route asks.
 */
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  StringMatcher,
} from "../../../shared/config/matchers.ts";
import { HeaderName, headerValue } from "../http1/header-table.ts";
import { compileRegex } from "./linear-regex.ts";

export type TextTest = (text: string) => boolean;

export function compileStringMatcher(matcher: StringMatcher): TextTest {
  if (matcher.kind === "regex") {
    const regex = compileRegex(matcher.regex);
    return (text) => regex.matches(text);
  }
  const { ignoreCase } = matcher;
  const wanted = ignoreCase ? matcher.value.toLowerCase() : matcher.value;
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  switch (matcher.kind) {
    case "exact":
      return (text) => fold(text) === wanted;
    case "prefix":
      return (text) => fold(text).startsWith(wanted);
    case "suffix":
      return (text) => fold(text).endsWith(wanted);
    case "contains":
      return (text) => fold(text).includes(wanted);
    default:
      return matcher satisfies never;
  }
}

/** Tests the fields of the head that was parsed last, and the request's pseudo-headers. */
export type HeadTest = (request: MatchedHead) => boolean;

export interface MatchedHead {
  readonly buffer: Buffer;
  pseudoHeader(name: string): string | undefined;
}

export function compileHeaderMatcher(matcher: HeaderMatcher): HeadTest {
  const name = new HeaderName(matcher.name.toLowerCase());
  const read = name.text.startsWith(":")
    ? (request: MatchedHead) => request.pseudoHeader(name.text)
    : (request: MatchedHead) => headerValue(request.buffer, name);
  const { match, invert } = matcher;
  if (match.kind === "present") {
    const wanted = match.present !== invert;
    return (request) => (read(request) !== undefined) === wanted;
  }
  const test: TextTest =
    match.kind === "string"
      ? compileStringMatcher(match.matcher)
      : (text) => isInRange(text, match.start, match.end);
  const missing = matcher.treatMissingAsEmpty ? "" : undefined;
  return (request) => {
    const value = read(request) ?? missing;
    // Envoy: a missing header matches no value, and inverting does not make it match.
    return value !== undefined && test(value) !== invert;
  };
}

function isInRange(text: string, start: number, end: number): boolean {
  if (!/^-?\d{1,15}$/.test(text)) return false;
  const value = Number(text);
  return value >= start && value < end;
}

/** Tests a query string without its `?`. Names and values are compared as they came, not decoded. */
export function compileQueryMatcher(matcher: QueryParameterMatcher): TextTest {
  const test = matcher.matcher === undefined ? () => true : compileStringMatcher(matcher.matcher);
  return (query) => {
    const value = queryValue(query, matcher.name);
    return value !== undefined && test(value);
  };
}

/** The first value of the parameter; empty where there is no `=`. */
export function queryValue(query: string, name: string): string | undefined {
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const pairName = equals < 0 ? pair : pair.slice(0, equals);
    if (pairName === name) return equals < 0 ? "" : pair.slice(equals + 1);
  }
  return undefined;
}
