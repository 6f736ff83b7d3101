/** How a route changes the path on its way to the upstream (Envoy: `prefix_rewrite`, `regex_rewrite`). */
import type {
  RedirectAction,
  RouteAction,
  RouteMatch,
} from "../../../shared/config/route-config.ts";
import { compileRegex } from "./linear-regex.ts";

/** Takes a path without its query. Undefined: a filter has made one that the route has nothing to say of. */
export type Rewrite = (path: string) => string | undefined;

export function compileRewrite(action: RouteAction, match: RouteMatch): Rewrite | undefined {
  const { path: matcher } = match;
  // CONNECT has no path.
  if (action.kind === "directResponse" || matcher.kind === "connect") return undefined;
  const { prefixRewrite, regexRewrite } = action;
  if (regexRewrite !== undefined) {
    const regex = compileRegex(regexRewrite.regex);
    return (path) => regex.replaceAll(path, regexRewrite.substitution);
  }
  if (prefixRewrite === undefined) return undefined;
  // Envoy: what was matched is replaced, which for a regex is the whole path.
  if (matcher.kind === "regex") return () => prefixRewrite;
  const { value } = matcher;
  const { length } = value;
  if (match.caseSensitive)
    return (path) => (path.startsWith(value) ? prefixRewrite + path.slice(length) : undefined);
  const folded = value.toLowerCase();
  return (path) =>
    path.slice(0, length).toLowerCase() === folded ? prefixRewrite + path.slice(length) : undefined;
}

/** What a redirect needs to know of the request. */
export interface RedirectedRequest {
  readonly path: string;
  readonly query: string;
  readonly authority: string;
  readonly scheme: string;
}

/** The value of `location`. */
export function redirectLocation(
  action: RedirectAction,
  rewrite: Rewrite | undefined,
  request: RedirectedRequest,
): string {
  const scheme = action.scheme ?? request.scheme;
  return `${scheme}://${redirectAuthority(action, request, scheme)}${redirectPath(action, rewrite, request)}`;
}

function redirectAuthority(
  action: RedirectAction,
  request: RedirectedRequest,
  scheme: string,
): string {
  if (action.host !== undefined && action.port === undefined) return action.host;
  const [, host = "", port = ""] =
    /^(.*?)(?::(\d+))?$/s.exec(action.host ?? request.authority) ?? [];
  if (action.port !== undefined) return `${host}:${action.port}`;
  // A well-known port of the old scheme would be wrong under the new one.
  const isStale =
    scheme !== request.scheme &&
    ((request.scheme === "http" && port === "80") ||
      (request.scheme === "https" && port === "443"));
  return port === "" || isStale ? host : `${host}:${port}`;
}

function redirectPath(
  action: RedirectAction,
  rewrite: Rewrite | undefined,
  request: RedirectedRequest,
): string {
  const query = action.stripQuery || request.query === "" ? "" : `?${request.query}`;
  // A path of the configuration that has a query of its own keeps only that.
  if (action.path !== undefined)
    return action.path.includes("?") ? action.path : action.path + query;
  return (rewrite?.(request.path) ?? request.path) + query;
}
