/** How a route's path is compared (Envoy: `RouteMatch.path_specifier`). */
import type { PathMatcher } from "../../../shared/config/route-config.ts";
import type { TextTest } from "./compiled-matchers.ts";
import { compileRegex } from "./linear-regex.ts";

/** Tests a path without its query. */
export function compilePathMatcher(matcher: PathMatcher, isCaseSensitive: boolean): TextTest {
  if (matcher.kind === "connect") return () => true;
  if (matcher.kind === "regex") {
    // Envoy: case_sensitive does not apply to regexes.
    const regex = compileRegex(matcher.regex);
    return (path) => regex.matches(path);
  }
  if (isCaseSensitive) return compileLiteral(matcher.kind, matcher.value);
  const test = compileLiteral(matcher.kind, matcher.value.toLowerCase());
  return (path) => test(path.toLowerCase());
}

function compileLiteral(
  kind: Exclude<PathMatcher["kind"], "regex" | "connect">,
  value: string,
): TextTest {
  switch (kind) {
    case "prefix":
      return value === "/" ? startsWithSlash : (path) => path.startsWith(value);
    case "exact":
      return (path) => path === value;
    case "pathSeparatedPrefix":
      // `/api` matches `/api` and `/api/v1`, not `/apiary`.
      return (path) =>
        path.startsWith(value) && (path.length === value.length || path[value.length] === "/");
    default:
      return kind satisfies never;
  }
}

function startsWithSlash(path: string): boolean {
  return path.startsWith("/");
}
