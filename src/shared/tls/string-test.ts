/** A string matcher as a function, for what main matches itself: linear in its input, whatever the expression. */
import { RE2JS } from "re2js";
import type { StringMatcher } from "../config/matchers.ts";

/** The expression has been judged when the matcher was decoded. */
export function stringTest(matcher: StringMatcher): (text: string) => boolean {
  if (matcher.kind === "regex") {
    const regex = RE2JS.compile(matcher.regex.source);
    return (text) => regex.matches(text);
  }
  const { kind, ignoreCase } = matcher;
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  const value = fold(matcher.value);
  switch (kind) {
    case "exact":
      return (text) => fold(text) === value;
    case "prefix":
      return (text) => fold(text).startsWith(value);
    case "suffix":
      return (text) => fold(text).endsWith(value);
    case "contains":
      return (text) => fold(text).includes(value);
    default:
      return kind satisfies never;
  }
}
