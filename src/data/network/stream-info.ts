/**
 * What is known of one request, or of one TCP connection, when it ends: what Envoy's command
 * operators print (docs: configuration/observability/access_log/usage; Envoy: `StreamInfo`).
 *
 * An instance is often its filter's own mutable state seen through this interface: a logger reads
 * what it needs during `log` and keeps nothing.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { TlsSession } from "../../shared/io/tls/tls.ts";

export interface ClientHelloInfo {
  /** Empty: none, or nobody looked. */
  readonly serverName: string;
  readonly ja3?: string | undefined;
  readonly ja4?: string | undefined;
}

export interface StreamInfo {
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2" | undefined;
  /** When the request's first byte or the connection came: milliseconds since 1970, to print. */
  readonly startWallMs: number;
  /** The same instant and all others here on the reactor's monotonic clock; undefined: never came. */
  readonly startMs: number;
  /** Last byte of the request received. */
  readonly requestEndMs: number | undefined;
  /** First byte of the request sent to the upstream. */
  readonly upstreamStartMs: number | undefined;
  /** First and last byte of the upstream's response. */
  readonly responseStartMs: number | undefined;
  readonly responseEndMs: number | undefined;
  readonly endMs: number;

  /** Body bytes of a request and its response; all bytes of a TCP connection. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstreamBytesReceived: number;
  readonly upstreamBytesSent: number;

  /** 0 where there was none. */
  readonly responseCode: number;
  /** Envoy's snake_case detail: `via_upstream`, `no_healthy_upstream`, … */
  readonly responseCodeDetails: string | undefined;
  /** In the order in which they were set. */
  readonly responseFlags: readonly ResponseFlag[];
  /** Why the connection was ended by us, where it was. */
  readonly connectionTerminationDetails: string | undefined;

  readonly listenerName: string;
  readonly filterChainName: string;
  readonly connectionId: number;
  readonly routeName: string | undefined;
  readonly virtualHostName: string | undefined;
  readonly downstreamLocalAddress: SocketAddress | undefined;
  /** After x-forwarded-for was trusted; direct is the peer itself. */
  readonly downstreamRemoteAddress: SocketAddress | undefined;
  readonly downstreamDirectRemoteAddress: SocketAddress | undefined;

  /** What the ClientHello said to a listener filter, whoever spoke TLS with the client. */
  readonly clientHello: ClientHelloInfo;
  /** Undefined: plain text, or no handshake came about. */
  readonly downstreamTls: TlsSession | undefined;
  readonly upstreamTls: TlsSession | undefined;
  /** Why the client's TLS failed, without blanks. */
  readonly downstreamTransportFailureReason: string | undefined;

  readonly upstreamCluster: string | undefined;
  readonly upstreamHost: SocketAddress | undefined;
  readonly upstreamHostname: string | undefined;
  readonly upstreamLocalAddress: SocketAddress | undefined;
  /** The system's error name where connecting or the transport failed. */
  readonly upstreamTransportFailureReason: string | undefined;
  /** Tries of the request or of connecting: 1 when the first one did. */
  readonly upstreamAttemptCount: number;

  readonly method: string | undefined;
  /** As routed; `requestHeader("x-envoy-original-path")` holds what was rewritten. */
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly isHealthCheck: boolean;
  /** `name` in lower case; several values are joined by a comma. Pseudo-headers are answered too. */
  requestHeader(name: string): string | undefined;
  responseHeader(name: string): string | undefined;
  responseTrailer(name: string): string | undefined;
  /** Of a request that spoke gRPC: what its client was told, or what its HTTP status means. */
  readonly grpcStatus: number | undefined;
}

/** Envoy's short names, with its meaning of each (`%RESPONSE_FLAGS%`). */
export const responseFlags = {
  UH: "NoHealthyUpstream",
  UF: "UpstreamConnectionFailure",
  UO: "UpstreamOverflow",
  NR: "NoRouteFound",
  NC: "NoClusterFound",
  URX: "UpstreamRetryLimitExceeded",
  DC: "DownstreamConnectionTermination",
  DR: "DownstreamRemoteReset",
  UC: "UpstreamConnectionTermination",
  UT: "UpstreamRequestTimeout",
  LR: "LocalReset",
  UR: "UpstreamRemoteReset",
  DT: "DurationTimeout",
  SI: "StreamIdleTimeout",
  DPE: "DownstreamProtocolError",
  UPE: "UpstreamProtocolError",
  UMSDR: "UpstreamMaxStreamDurationReached",
  OM: "OverloadManagerTerminated",
  NFCF: "NoFilterConfigFound",
} as const;
export type ResponseFlag = keyof typeof responseFlags;
