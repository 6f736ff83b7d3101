/** Entries of gRPC access logs as workers make them. */
import type {
  AccessLogBatch,
  AccessLogEntry,
  HttpLogProperties,
} from "../../src/shared/protocol/access-log-entry.ts";

export function logEntry(
  fields: Partial<AccessLogEntry> = {},
  http: Partial<HttpLogProperties> = {},
): AccessLogEntry {
  return {
    type: "downstreamEnd",
    startWallMs: 1_700_000_000_250.5,
    durationMs: 12.5,
    times: {
      lastRx: 1,
      firstUpstreamTx: 2,
      lastUpstreamTx: 2,
      firstUpstreamRx: 1_003,
      lastUpstreamRx: undefined,
      firstDownstreamTx: 0,
      lastDownstreamTx: 12.5,
    },
    addresses: {
      downstreamRemote: { kind: "ip", ip: "192.0.2.1", port: 0 },
      downstreamDirectRemote: { kind: "ip", ip: "::1", port: 80 },
      downstreamLocal: { kind: "pipe", path: "/run/x", mode: 0 },
      upstreamRemote: undefined,
      upstreamLocal: undefined,
    },
    streamId: "id",
    routeName: "r",
    upstreamCluster: "c",
    upstreamTransportFailureReason: undefined,
    upstreamAttemptCount: 1,
    connectionTerminationDetails: undefined,
    flags: ["UF", "URX"],
    bytesReceived: 3,
    bytesSent: 5,
    upstreamBytesReceived: 7,
    upstreamBytesSent: 9,
    tls: undefined,
    http: {
      protocol: "HTTP/1.1",
      method: "GET",
      scheme: "http",
      authority: "a.example",
      path: "/p",
      userAgent: "ua",
      referer: undefined,
      forwardedFor: undefined,
      requestId: "id",
      originalPath: undefined,
      responseCode: 503,
      responseCodeDetails: "details",
      requestHeaders: [["x-a", "1"]],
      responseHeaders: [],
      responseTrailers: [],
      ...http,
    },
    ...fields,
  };
}

export function logBatch(
  destination: string,
  count: number,
  bytes: number = count * 100,
): AccessLogBatch {
  const entries = Array.from({ length: count }, (_, i) => logEntry({}, { path: `/${i}` }));
  return { destination, bytes, entries, dropped: 0 };
}
