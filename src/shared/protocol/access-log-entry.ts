/**
 * What a gRPC access log says of one request or connection, on its way from a worker to main, where it becomes
 * `envoy.data.accesslog.v3.HTTPAccessLogEntry` or `TCPAccessLogEntry`. Plain values, made only where such a log
 * is configured.
 */
import type { SocketAddress } from "../common/address.ts";

/** Where in its life a stream was logged: Envoy's `AccessLogType`, as far as there are such moments here. */
export type AccessLogType =
  /** By the listener. */
  "notSet" | "tcpConnectionEnd" | "downstreamEnd";

export interface AccessLogEntry {
  readonly type: AccessLogType;
  /** Milliseconds since 1970. */
  readonly startWallMs: number;
  readonly durationMs: number;
  /** Milliseconds from the start to each instant; undefined: it never came. */
  readonly times: AccessLogTimes;
  readonly addresses: AccessLogAddresses;
  readonly streamId: string | undefined;
  readonly routeName: string | undefined;
  readonly upstreamCluster: string | undefined;
  readonly upstreamTransportFailureReason: string | undefined;
  readonly upstreamAttemptCount: number;
  readonly connectionTerminationDetails: string | undefined;
  /** Envoy's short names. */
  readonly flags: readonly string[];
  /** Body bytes of a request and its response; all bytes of a TCP connection. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstreamBytesReceived: number;
  readonly upstreamBytesSent: number;
  /** Of the client's connection; undefined: plain text. */
  readonly tls: LoggedTls | undefined;
  /** Of a request, in an entry for HTTP. */
  readonly http: HttpLogProperties | undefined;
}

export interface LoggedTls {
  readonly version: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  /** IANA's number of the suite. */
  readonly cipherId: number;
  readonly serverName: string;
  readonly sessionId: string;
  readonly ja3: string | undefined;
  readonly own: LoggedCertificate;
  readonly peer: LoggedCertificate;
}

/** Empty where there is none, or nothing is said. */
export interface LoggedCertificate {
  readonly uris: readonly string[];
  readonly subject: string;
  readonly issuer: string;
}

/** The first and the last byte in each direction. */
export interface AccessLogTimes {
  readonly lastRx: number | undefined;
  readonly firstUpstreamTx: number | undefined;
  readonly lastUpstreamTx: number | undefined;
  readonly firstUpstreamRx: number | undefined;
  readonly lastUpstreamRx: number | undefined;
  readonly firstDownstreamTx: number | undefined;
  readonly lastDownstreamTx: number | undefined;
}

export interface AccessLogAddresses {
  readonly downstreamRemote: SocketAddress | undefined;
  readonly downstreamDirectRemote: SocketAddress | undefined;
  readonly downstreamLocal: SocketAddress | undefined;
  readonly upstreamRemote: SocketAddress | undefined;
  readonly upstreamLocal: SocketAddress | undefined;
}

export interface HttpLogProperties {
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2" | undefined;
  readonly method: string | undefined;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly requestId: string | undefined;
  readonly originalPath: string | undefined;
  /** 0: there was no response. */
  readonly responseCode: number;
  readonly responseCodeDetails: string | undefined;
  /** Those that the logger asks for and that were there, by name. */
  readonly requestHeaders: readonly LoggedHeader[];
  readonly responseHeaders: readonly LoggedHeader[];
  readonly responseTrailers: readonly LoggedHeader[];
}

export type LoggedHeader = readonly [name: string, value: string];

/** Entries of one destination, handed over together. */
export interface AccessLogBatch {
  /** As the configuration says it. */
  readonly destination: string;
  /** About how large the entries are; taken from the worker's budget until main has the batch. */
  readonly bytes: number;
  readonly entries: readonly AccessLogEntry[];
  /** Entries that found no room since the last batch. */
  readonly dropped: number;
}
