/** Scoped routes as `/config_dump` and `/status` show them. Snapshots. */
export interface ScopeSetView {
  /** `scoped_routes.name`. */
  readonly name: string;
  /** They stand in a listener. */
  readonly isInline: boolean;
  /** Of the last push that changed something; empty for inline ones. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
  readonly scopes: readonly ScopeView[];
}

export interface ScopeView {
  readonly name: string;
  readonly version: string;
  /** The `ScopedRouteConfiguration`. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
  /** Empty for inline ones. */
  readonly routeConfigName: string;
  /** `unasked`: on demand, and no request has come. `loading`: its routes have not come. */
  readonly state: "unasked" | "loading" | "active";
}
