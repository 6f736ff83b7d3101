/**
 * Scoped routes (`envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes`): a key made of a request's
 * headers names the scope, and the scope names the route configuration. Key texts are what `scopeKeyText` makes,
 * on both sides, so that a look-up is one step however many fragments there are.
 */
import type { RouteConfig } from "./route-config.ts";

export interface ScopedRoutesConfig {
  /** `scoped_routes.name`. */
  readonly name: string;
  readonly keyBuilder: readonly FragmentBuilder[];
  readonly scopes:
    /** `scoped_route_configurations_list`; of two with one key the later counts, as in Envoy. */
    | { readonly kind: "inline"; readonly scopes: readonly InlineScope[] }
    /** By `setScopes`, under the name. */
    | { readonly kind: "srds" };
}

/** `header_value_extractor`: one fragment of the key, out of the first header of the name. */
export interface FragmentBuilder {
  /** Lower case. */
  readonly header: string;
  /** Empty: the value is one element. */
  readonly elementSeparator: string;
  readonly extract:
    | { readonly kind: "index"; readonly index: number }
    /** What follows `key` and `separator` in the first element that begins so. */
    | { readonly kind: "element"; readonly separator: string; readonly key: string };
}

export interface InlineScope {
  readonly name: string;
  readonly key: string;
  readonly config: RouteConfig;
}

/** A scope of SRDS as workers know it. */
export interface RouteScope {
  readonly name: string;
  readonly key: string;
  /** The route configuration; undefined: on demand, and nobody has asked yet. */
  readonly routes: string | undefined;
}

/** One text for all fragments: different lists of fragments have different texts. */
export function scopeKeyText(fragments: readonly string[]): string {
  return fragments.map(fragmentText).join("");
}

/** Behind its length a fragment may hold any character. */
export function fragmentText(fragment: string): string {
  return `${fragment.length}:${fragment}`;
}
