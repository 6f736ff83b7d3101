/**
 * Regular expressions whose cost is linear in their input, whatever the pattern and whoever wrote the
 * input. V8's linear engine where it takes the pattern, else re2js; V8's backtracking engine never.
 *
 * The dialect is RE2's, judged on main. V8 reads some of it differently (`\s`, `(?i)`, POSIX classes),
 * so a pattern goes to V8 only when it keeps to what both read alike.
 */
import { setFlagsFromString } from "node:v8";
import { RE2JS } from "re2js";
import type { RegexSource } from "../../../shared/config/matchers.ts";

export interface LinearRegex {
  /** The whole of `text` matches. */
  matches(text: string): boolean;
  /** Every match replaced; `substitution` is RE2's: `\1` is a group, `\0` all, `\\` a backslash. */
  replaceAll(text: string, substitution: string): string;
}

// Must precede the first pattern with the flag `l`; the engine is complete, only its flag is guarded.
setFlagsFromString("--enable-experimental-regexp-engine");

/** Chooses V8's linear engine; a pattern it cannot run is a SyntaxError. */
const linearFlag = "l";

/** Escapes that mean the same to both, and no `(?…)` but `(?:…)`. */
const commonDialect = /^(?:[^\\[(]|\\[dDwW.\\/^$*+?()[\]{}|-]|\((?!\?)|\(\?:|\[(?!:))*$/;

export function compileRegex(regex: RegexSource): LinearRegex {
  return (commonDialect.test(regex.source) && compileV8(regex.source)) || compileRe2(regex.source);
}

function compileV8(source: string): LinearRegex | undefined {
  try {
    const whole = new RegExp(`^(?:${source})$`, linearFlag);
    const every = new RegExp(source, `g${linearFlag}`);
    return {
      matches: (text) => whole.test(text),
      replaceAll: (text, substitution) => text.replaceAll(every, v8Substitution(substitution)),
    };
  } catch {
    // Not for the linear engine (a large counted repetition, say).
    return undefined;
  }
}

function compileRe2(source: string): LinearRegex {
  const pattern = RE2JS.compile(source);
  return {
    matches: (text) => pattern.matches(text),
    replaceAll: (text, substitution) =>
      pattern.matcher(text).replaceAll(v8Substitution(substitution)),
  };
}

/** `\1` → `$1`, `\0` → `$&`-alike, `$` → a dollar that stands for itself. */
function v8Substitution(substitution: string): string {
  return substitution
    .replaceAll("$", "$$$$")
    .replaceAll(/\\(\d|\\)/g, (_, what: string) => substitutionPart(what));
}

function substitutionPart(what: string): string {
  if (what === "\\") return "\\";
  return what === "0" ? "$&" : `$${what}`;
}
