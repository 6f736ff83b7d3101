/** What main knows of scoped routes beside the part that workers get. */
import type { CollectionSource, ConfigSource } from "./config-source.ts";

/** A `ScopedRouteConfiguration` of SRDS. */
export interface DecodedScope {
  readonly name: string;
  /** As `scopeKeyText` makes it. */
  readonly key: string;
  readonly routeConfigName: string;
  /** Its routes are fetched when the first request asks for them. */
  readonly isOnDemand: boolean;
}

/** The `scoped_routes` of a connection manager, as its listener holds them. */
export interface ScopeSubscription {
  /** `scoped_routes.name`. */
  readonly name: string;
  readonly scopes: InlineScopes | ScopesBySrds;
  /** The connection manager's, for `http.<stat_prefix>.scoped_rds.<name>.`. */
  readonly statPrefix: string;
}

/** They stand in the listener: to be shown. */
export interface InlineScopes {
  readonly kind: "inline";
  readonly views: readonly {
    readonly name: string;
    /** The `ScopedRouteConfiguration`. */
    readonly bytes: Uint8Array;
  }[];
}

export interface ScopesBySrds {
  readonly kind: "srds";
  /** Its collection is still without the node's parameters. */
  readonly source: CollectionSource;
  /** Of the route configurations that scopes name. */
  readonly rdsSource: ConfigSource;
}
