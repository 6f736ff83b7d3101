/**
 * What the xDS client tells the statistics. It knows what happened to a subscription, not where that
 * is counted: the sink maps a subscription to Envoy's prefix (`listener_manager.lds.`,
 * `cluster.<name>.`, `http.<prefix>.rds.<name>.`).
 */
export interface XdsStats {
  /** Called once for each subscription; disposed with it. */
  subscription(which: SubscriptionIdentity): SubscriptionStats;
  readonly controlPlane: ControlPlaneStats;
}

export interface SubscriptionIdentity {
  /** `LDS`, `EDS`. */
  readonly shortName: string;
  /** The resource, or `*` for a subscription to all of them. */
  readonly name: string;
  /** Given by who subscribed, where the name alone does not tell (RDS: the connection manager's). */
  readonly statPrefix: string | undefined;
}

/** Envoy: `SubscriptionStats`. */
export interface SubscriptionStats extends Disposable {
  /** `update_attempt`: a first request, a reconnect, or an answer. */
  attempted(): void;
  /** `update_success`, `update_time`, `update_duration`, `version`, `version_text`. */
  succeeded(update: {
    readonly version: string;
    readonly timeMs: number;
    readonly durationMs: number;
  }): void;
  /** `update_rejected`: once for each response that was NACKed. */
  rejected(): void;
  /** `update_failure`: the stream broke, or what came could not be read at all. */
  failed(): void;
  /** `update_empty`: a response without resources where that means nothing (EDS, RDS). */
  empty(): void;
  /** `init_fetch_timeout`. */
  initialFetchTimedOut(): void;
}

/** Envoy: `control_plane.`. */
export interface ControlPlaneStats {
  /** `connected_state`: 1 while a stream stands. */
  connected(isConnected: boolean): void;
  /** `pending_requests`: requests that wait for the stream. */
  pendingRequests(count: number): void;
  /** `rate_limit_enforced`: a request had to wait for `rate_limit_settings`. */
  rateLimitEnforced(): void;
  /** A response of a type that nobody asked for, or that we do not know. */
  ignored(): void;
  /** `identifier`: as the server calls itself. */
  identifier(text: string): void;
}

/** Of a subscription that is part of another. */
export const uncounted: SubscriptionStats = {
  attempted: () => {},
  succeeded: () => {},
  rejected: () => {},
  failed: () => {},
  empty: () => {},
  initialFetchTimedOut: () => {},
  [Symbol.dispose]: () => {},
};

/** For tests, and for tools that do not count. */
export const noXdsStats: XdsStats = {
  subscription: () => uncounted,
  controlPlane: {
    connected: () => {},
    pendingRequests: () => {},
    rateLimitEnforced: () => {},
    ignored: () => {},
    identifier: () => {},
  },
};
