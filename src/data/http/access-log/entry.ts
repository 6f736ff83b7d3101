/**
 * Makes an entry of a gRPC access log from what is known of a stream. What one would get wrong: strings are
 * latin1 that carry bytes, as everywhere here; on the wire they are UTF-8, so they are read as that.
 */
import type { X509Certificate } from "node:crypto";
import type { GrpcLogConfig } from "../../../shared/config/access-log-config.ts";
import type {
  AccessLogEntry,
  AccessLogTimes,
  AccessLogType,
  HttpLogProperties,
  LoggedCertificate,
  LoggedHeader,
  LoggedTls,
} from "../../../shared/protocol/access-log-entry.ts";
import type { TlsSession } from "../../../shared/io/tls/tls.ts";
import { nameText, sansOf } from "../../network/certificate-texts.ts";
import type { StreamInfo } from "../../network/stream-info.ts";

export function makeEntry(
  info: StreamInfo,
  config: GrpcLogConfig,
  type: AccessLogType,
): AccessLogEntry {
  return {
    type,
    startWallMs: info.startWallMs,
    durationMs: info.endMs - info.startMs,
    times: timesOf(info),
    addresses: {
      downstreamRemote: info.downstreamRemoteAddress,
      downstreamDirectRemote: info.downstreamDirectRemoteAddress,
      downstreamLocal: info.downstreamLocalAddress,
      upstreamRemote: info.upstreamHost,
      upstreamLocal: info.upstreamLocalAddress,
    },
    streamId: info.requestHeader("x-request-id"),
    routeName: info.routeName,
    // As Envoy: the cluster of the host, so none where no host was chosen.
    upstreamCluster: info.upstreamHost && info.upstreamCluster,
    // Lines print it without blanks.
    upstreamTransportFailureReason: info.upstreamTransportFailureReason?.replaceAll("_", " "),
    upstreamAttemptCount: info.upstreamAttemptCount,
    connectionTerminationDetails: info.connectionTerminationDetails,
    flags: [...info.responseFlags],
    bytesReceived: info.bytesReceived,
    bytesSent: info.bytesSent,
    upstreamBytesReceived: info.upstreamBytesReceived,
    upstreamBytesSent: info.upstreamBytesSent,
    tls: info.downstreamTls && tlsOf(info.downstreamTls, info),
    http: config.entryKind === "http" ? httpProperties(info, config) : undefined,
  };
}

function tlsOf(tls: TlsSession, { clientHello }: StreamInfo): LoggedTls {
  const { version, cipherId, serverName, sessionId, ownCertificate, peerChain } = tls;
  return {
    version,
    cipherId,
    serverName: clientHello.serverName || serverName,
    sessionId,
    ja3: clientHello.ja3,
    // Envoy tells who has issued the peer's alone.
    own: { ...loggedCertificate(ownCertificate), issuer: "" },
    peer: loggedCertificate(peerChain?.[0]),
  };
}

function loggedCertificate(certificate: X509Certificate | undefined): LoggedCertificate {
  return {
    uris: certificate ? sansOf(certificate, "uri") : [],
    subject: certificate ? nameText(certificate.subject) : "",
    issuer: certificate ? nameText(certificate.issuer) : "",
  };
}

/** About what the entry takes in memory and on the wire: texts, and a round figure for the rest. */
export function entryBytes({ http, routeName, upstreamCluster }: AccessLogEntry): number {
  let bytes = restBytes + (routeName?.length ?? 0) + (upstreamCluster?.length ?? 0);
  if (http === undefined) return bytes;
  const { authority, path, userAgent, referer, forwardedFor, originalPath } = http;
  for (const text of [authority, path, userAgent, referer, forwardedFor, originalPath])
    bytes += text?.length ?? 0;
  for (const headers of [http.requestHeaders, http.responseHeaders, http.responseTrailers])
    for (const [name, value] of headers) bytes += name.length + value.length;
  return bytes;
}

/** What Envoy's entries have beside the texts that are counted: times, addresses, ids. */
const restBytes = 250;

/**
 * A request is sent on as it comes, so its last byte leaves when it arrives, or when there is a connection. An
 * answer of ours begins when it ends: it is one write.
 */
function timesOf(info: StreamInfo): AccessLogTimes {
  const { requestEndMs, upstreamStartMs, responseStartMs, responseEndMs, endMs } = info;
  const since = (instantMs: number | undefined): number | undefined =>
    instantMs === undefined ? undefined : Math.max(0, instantMs - info.startMs);
  const isSentOn = upstreamStartMs !== undefined && requestEndMs !== undefined;
  const hasResponse = info.responseCode > 0;
  return {
    lastRx: since(requestEndMs),
    firstUpstreamTx: since(upstreamStartMs),
    lastUpstreamTx: isSentOn ? since(Math.max(requestEndMs, upstreamStartMs)) : undefined,
    firstUpstreamRx: since(responseStartMs),
    lastUpstreamRx: since(responseEndMs),
    firstDownstreamTx: hasResponse ? since(responseStartMs ?? endMs) : undefined,
    lastDownstreamTx: hasResponse ? since(endMs) : undefined,
  };
}

function httpProperties(info: StreamInfo, config: GrpcLogConfig): HttpLogProperties {
  const header = (name: string): string | undefined => text(info.requestHeader(name));
  return {
    protocol: info.protocol,
    method: info.method,
    scheme: info.method === undefined ? undefined : header(":scheme"),
    authority: text(info.authority),
    path: text(info.path),
    userAgent: header("user-agent"),
    referer: header("referer"),
    forwardedFor: header("x-forwarded-for"),
    requestId: header("x-request-id"),
    originalPath: header("x-envoy-original-path"),
    responseCode: info.responseCode,
    responseCodeDetails: info.responseCodeDetails,
    requestHeaders: logged(config.requestHeaders, (name) => info.requestHeader(name)),
    responseHeaders: logged(config.responseHeaders, (name) => info.responseHeader(name)),
    responseTrailers: logged(config.responseTrailers, (name) => info.responseTrailer(name)),
  };
}

function logged(
  names: readonly string[],
  valueOf: (name: string) => string | undefined,
): readonly LoggedHeader[] {
  return names.flatMap((name) => {
    const value = text(valueOf(name));
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** Bytes that are not UTF-8 become `!`, as Envoy writes them (`MessageUtil::sanitizeUtf8String`). */
function text(latin1: string | undefined): string | undefined {
  if (latin1 === undefined || !/[\x80-\xff]/.test(latin1)) return latin1;
  return Buffer.from(latin1, "latin1").toString("utf8").replaceAll("\ufffd", "!");
}
