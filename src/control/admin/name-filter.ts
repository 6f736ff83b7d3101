/** Filters by regular expression in RE2's syntax, found anywhere in the name: linear in time, whoever asks. */
import { RE2JS } from "re2js";
import { messageOf } from "../../shared/common/errors.ts";

export type NameFilter =
  | { readonly ok: true; readonly matches: (name: string) => boolean }
  | { readonly ok: false; readonly error: string };

/** Longer ones are refused before they are compiled. */
const patternCharactersMax = 4096;

/** Null (no parameter) or empty: everything matches. */
export function compileNameFilter(pattern: string | null, isInverted = false): NameFilter {
  if (pattern === null || pattern === "") return { ok: true, matches: () => true };
  if (pattern.length > patternCharactersMax)
    return { ok: false, error: "Invalid re2 regex: too long" };
  try {
    const compiled = RE2JS.compile(pattern);
    return { ok: true, matches: (name) => compiled.test(name) !== isInverted };
  } catch (error) {
    const reason = messageOf(error).replace(/^error parsing regexp: /, "");
    return { ok: false, error: `Invalid re2 regex: ${reason}` };
  }
}
