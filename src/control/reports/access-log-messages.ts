/** Writes `envoy.service.accesslog.v3.StreamAccessLogsMessage` and the entries in it. */
import type { GrpcLogEntryKind } from "../../shared/config/access-log-config.ts";
import type { AccessLogEntry, HttpLogProperties } from "../../shared/protocol/access-log-entry.ts";
import { writeCommon } from "./access-log-common.ts";
import {
  messageBytes,
  type Writer,
  writeCount,
  writeEnum,
  writeMessage,
  writeText,
  writeTextMap,
} from "./field-writer.ts";

/** Numbers of the fields of each message. */
const message = { identifier: 1, http: 2, tcp: 3 } as const;
const httpEntry = { common: 1, protocolVersion: 2, request: 3, response: 4 } as const;
const tcpEntry = { common: 1, connection: 2 } as const;
const requestField = {
  method: 1,
  scheme: 2,
  authority: 3,
  path: 5,
  userAgent: 6,
  referer: 7,
  forwardedFor: 8,
  requestId: 9,
  originalPath: 10,
  bodyBytes: 12,
  headers: 13,
} as const;
const responseField = { code: 1, bodyBytes: 3, headers: 4, trailers: 5, codeDetails: 6 } as const;

/** By the numbers of `HTTPAccessLogEntry.HTTPVersion`. */
const versions = ["", "HTTP/1.0", "HTTP/1.1", "HTTP/2"];
/** By the numbers of `core.v3.RequestMethod`; any other method is unspecified. */
const methods = "|GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH".split("|");

/** Who logs: said in the first message of each stream. */
export interface LogIdentity {
  /** A serialised `core.v3.Node`. */
  readonly node: Uint8Array;
  readonly logName: string;
}

export function writeAccessLogs(
  kind: GrpcLogEntryKind,
  entries: readonly AccessLogEntry[],
  identity: LogIdentity | undefined,
): Uint8Array {
  const writeEntry = kind === "http" ? writeHttpEntry : writeTcpEntry;
  return messageBytes((writer) => {
    if (identity)
      writeMessage(writer, message.identifier, (inner) => {
        inner.writeBytes(1, identity.node);
        inner.writeString(2, identity.logName);
      });
    writeMessage(writer, message[kind], (list) => {
      for (const entry of entries) writeMessage(list, 1, (inner) => writeEntry(inner, entry));
    });
  });
}

function writeHttpEntry(writer: Writer, entry: AccessLogEntry): void {
  const { http } = entry;
  writeMessage(writer, httpEntry.common, (inner) => writeCommon(inner, entry));
  if (!http) return;
  writeEnum(writer, httpEntry.protocolVersion, versions.indexOf(http.protocol ?? ""));
  writeMessage(writer, httpEntry.request, (inner) =>
    writeRequest(inner, http, entry.bytesReceived),
  );
  writeMessage(writer, httpEntry.response, (inner) => writeResponse(inner, http, entry.bytesSent));
}

function writeTcpEntry(writer: Writer, entry: AccessLogEntry): void {
  writeMessage(writer, tcpEntry.common, (inner) => writeCommon(inner, entry));
  writeMessage(writer, tcpEntry.connection, (inner) => {
    writeCount(inner, 1, entry.bytesReceived);
    writeCount(inner, 2, entry.bytesSent);
  });
}

function writeRequest(writer: Writer, http: HttpLogProperties, bodyBytes: number): void {
  writeEnum(writer, requestField.method, Math.max(0, methods.indexOf(http.method ?? "")));
  writeText(writer, requestField.scheme, http.scheme);
  writeText(writer, requestField.authority, http.authority);
  writeText(writer, requestField.path, http.path);
  writeText(writer, requestField.userAgent, http.userAgent);
  writeText(writer, requestField.referer, http.referer);
  writeText(writer, requestField.forwardedFor, http.forwardedFor);
  writeText(writer, requestField.requestId, http.requestId);
  writeText(writer, requestField.originalPath, http.originalPath);
  writeCount(writer, requestField.bodyBytes, bodyBytes);
  writeTextMap(writer, requestField.headers, http.requestHeaders);
}

function writeResponse(writer: Writer, http: HttpLogProperties, bodyBytes: number): void {
  if (http.responseCode > 0)
    writeMessage(writer, responseField.code, (inner) => writeCount(inner, 1, http.responseCode));
  writeCount(writer, responseField.bodyBytes, bodyBytes);
  writeTextMap(writer, responseField.headers, http.responseHeaders);
  writeTextMap(writer, responseField.trailers, http.responseTrailers);
  writeText(writer, responseField.codeDetails, http.responseCodeDetails);
}
