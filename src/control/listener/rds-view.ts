/** Route configurations as `/config_dump` and `/status` show them. Snapshots. */
export interface RouteView {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
  /** A later version that waits for clusters to become warm. */
  readonly held?: HeldRoutesView;
  /** Virtual hosts by VHDS, by name and by alias. */
  readonly discovered?: readonly DiscoveredHostView[];
}

export interface HeldRoutesView {
  readonly version: string;
  /** `cluster <name>` each. */
  readonly awaiting: readonly string[];
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface DiscoveredHostView {
  /** Of the resource, or an alias of it. */
  readonly name: string;
  /** Of the virtual host in it. */
  readonly host: string;
  readonly version: string;
  /** The `VirtualHost`. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
  readonly clusterNames: readonly string[];
}
