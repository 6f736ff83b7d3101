/**
 * A connection that goes on in another process, as it crosses threads: out of the worker that served it, into the one
 * that will. Nothing of it is under way in either direction, and what the kernel holds goes with the descriptors.
 *
 * Between processes times are ages: their clocks have nothing in common.
 */
import type { SocketAddress } from "../common/address.ts";
import type { Descriptor } from "../io/reactor.ts";

export type MovedConnection = IdleConnection | ProxiedConnection | UpgradedConnection;

interface Moved {
  readonly descriptor: Descriptor;
  readonly ageMs: number;
}

/** HTTP/1, between requests. */
export interface IdleConnection extends Moved {
  readonly kind: "idle";
  /** That it has had. */
  readonly requests: number;
}

/** Two sockets, and bytes between them. */
interface Joined extends Moved {
  readonly upstream: Descriptor;
  readonly upstreamAgeMs: number;
  readonly cluster: string;
  readonly host: SocketAddress;
  /** From downstream, and to it. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** A TCP proxy's. */
export interface ProxiedConnection extends Joined {
  readonly kind: "proxied";
}

/** HTTP/1, amid a request whose answer has granted what it asked for: bytes as they are from here on, both ways. */
export interface UpgradedConnection extends Joined {
  readonly kind: "upgraded";
  readonly request: UpgradedRequest;
  /** It has lasted for `max_connection_duration`, and that was counted. */
  readonly isTooOld: boolean;
}

/** What is left to know of the request: how it is to end, and what its access log will say. */
export interface UpgradedRequest {
  /** As `upgrade_type` says it: CONNECT, or what the Upgrade field said. */
  readonly upgradeType: string;
  /** What the upstream connection is: HTTP/1, or one that a CONNECT ends in. */
  readonly upstreamKind: "http1" | "tcp";
  /** Of the route. */
  readonly priority: "default" | "high";
  readonly limits: UpgradeLimits;
  readonly texts: Readonly<Partial<Record<UpgradeText, string>>>;
  readonly counts: Readonly<Record<UpgradeCount, number>>;
  /** Of instants, in milliseconds; those that have not come are missing. */
  readonly ages: Readonly<Partial<Record<UpgradeInstant, number>>>;
  /** The client's, as a trusted x-forwarded-for says it. */
  readonly forwardedAddress: SocketAddress | undefined;
  /** What logs print of heads. */
  readonly requestFields: readonly LoggedField[];
  readonly responseFields: readonly LoggedField[];
  /** Of a WebSocket that a drain closes by its own words. */
  readonly webSocket: WebSocketProgress | undefined;
}

/** In milliseconds. */
export interface UpgradeLimits {
  /** Since the last byte either way. */
  readonly quietMs: number;
  /** The route's `idle_timeout`; undefined: the connection manager's, 0: none. */
  readonly idleMs: number | undefined;
  /** The route's `max_stream_duration`; undefined: the connection manager's. */
  readonly durationMs: number | "none" | undefined;
  /** `per_try_idle_timeout`; 0: none. */
  readonly tryIdleMs: number;
  /** Until the cluster's `max_stream_duration` has passed; undefined: it has none. */
  readonly tryEndsInMs: number | undefined;
}

export type LoggedField = readonly [name: string, value: string];

/** As `RequestInfo` has them. */
export const upgradeTexts = [
  "method",
  "path",
  "authority",
  "requestId",
  "routeName",
  "virtualHostName",
  "responseCodeDetails",
  "upstreamTransportFailureReason",
] as const;
export const upgradeCounts = [
  "minorVersion",
  "responseCode",
  "upstreamAttemptCount",
  "upstreamBytesReceived",
  "upstreamBytesSent",
] as const;
export const upgradeInstants = ["startMs", "upstreamStartAtMs", "responseStartAtMs"] as const;

export type UpgradeText = (typeof upgradeTexts)[number];
export type UpgradeCount = (typeof upgradeCounts)[number];
export type UpgradeInstant = (typeof upgradeInstants)[number];

/** How far the frames of both directions have come. */
export interface WebSocketProgress {
  readonly toClient: FrameProgress;
  readonly toHost: FrameProgress;
}

/** As `WebSocketFrames` reads them. */
export interface FrameProgress {
  readonly missing: number;
  readonly headAt: number;
  readonly lengthBytes: number;
  readonly length: number;
  readonly isMasked: boolean;
  readonly hasClose: boolean;
}

export function descriptorsOf(moved: MovedConnection): readonly Descriptor[] {
  return moved.kind === "idle" ? [moved.descriptor] : [moved.descriptor, moved.upstream];
}
