/**
 * What entries of HTTP and TCP have in common: `envoy.data.accesslog.v3.AccessLogCommon`. What is filled in is
 * what Envoy 1.40 fills in, but for the bytes on the wire of HTTP, which nobody counts here.
 */
import type { AccessLogEntry, AccessLogTimes } from "../../shared/protocol/access-log-entry.ts";
import {
  type Writer,
  writeAddress,
  writeCount,
  writeEnum,
  writeMessage,
  writeMs,
  writeText,
} from "./field-writer.ts";
import { writeTls } from "./tls-properties.ts";

/** Numbers of the fields. */
const common = {
  downstreamRemoteAddress: 2,
  downstreamLocalAddress: 3,
  tlsProperties: 4,
  startTime: 5,
  upstreamRemoteAddress: 13,
  upstreamLocalAddress: 14,
  upstreamCluster: 15,
  responseFlags: 16,
  upstreamTransportFailureReason: 18,
  routeName: 19,
  downstreamDirectRemoteAddress: 20,
  duration: 23,
  upstreamRequestAttemptCount: 24,
  connectionTerminationDetails: 25,
  streamId: 26,
  downstreamWireBytesSent: 29,
  downstreamWireBytesReceived: 30,
  upstreamWireBytesSent: 31,
  upstreamWireBytesReceived: 32,
  accessLogType: 33,
} as const;

/** `time_to_…`, each a field of `AccessLogCommon`. */
const times: Readonly<Record<keyof AccessLogTimes, number>> = {
  lastRx: 6,
  firstUpstreamTx: 7,
  lastUpstreamTx: 8,
  firstUpstreamRx: 9,
  lastUpstreamRx: 10,
  firstDownstreamTx: 11,
  lastDownstreamTx: 12,
};

/** By the short names of `%RESPONSE_FLAGS%`: fields of `ResponseFlags`. */
const flagFields: Readonly<Record<string, number>> = {
  UH: 2,
  UT: 3,
  LR: 4,
  UR: 5,
  UF: 6,
  UC: 7,
  UO: 8,
  NR: 9,
  DC: 15,
  URX: 16,
  SI: 17,
  DPE: 19,
  DR: 28,
  UMSDR: 20,
  NFCF: 22,
  DT: 23,
  UPE: 24,
  NC: 25,
  OM: 26,
};

/** By the names of `AccessLogType`. */
const types: Readonly<Record<AccessLogEntry["type"], number>> = {
  notSet: 0,
  tcpConnectionEnd: 3,
  downstreamEnd: 6,
};

export function writeCommon(writer: Writer, entry: AccessLogEntry): void {
  const { addresses } = entry;
  writeAddress(writer, common.downstreamRemoteAddress, addresses.downstreamRemote);
  writeAddress(writer, common.downstreamLocalAddress, addresses.downstreamLocal);
  if (entry.tls) writeTls(writer, common.tlsProperties, entry.tls);
  writeMs(writer, common.startTime, entry.startWallMs);
  for (const name of Object.keys(times) as (keyof AccessLogTimes)[])
    writeMs(writer, times[name], entry.times[name]);
  writeAddress(writer, common.upstreamRemoteAddress, addresses.upstreamRemote);
  writeAddress(writer, common.upstreamLocalAddress, addresses.upstreamLocal);
  writeText(writer, common.upstreamCluster, entry.upstreamCluster);
  if (entry.flags.length > 0)
    writeMessage(writer, common.responseFlags, (flags) => writeFlags(flags, entry.flags));
  const { upstreamTransportFailureReason, connectionTerminationDetails } = entry;
  writeText(writer, common.upstreamTransportFailureReason, upstreamTransportFailureReason);
  writeText(writer, common.routeName, entry.routeName);
  const { downstreamDirectRemote } = addresses;
  writeAddress(writer, common.downstreamDirectRemoteAddress, downstreamDirectRemote);
  writeMs(writer, common.duration, entry.durationMs);
  writeCount(writer, common.upstreamRequestAttemptCount, entry.upstreamAttemptCount);
  writeText(writer, common.connectionTerminationDetails, connectionTerminationDetails);
  writeText(writer, common.streamId, entry.streamId);
  writeWireBytes(writer, entry);
  writeEnum(writer, common.accessLogType, types[entry.type]);
}

function writeFlags(writer: Writer, flags: readonly string[]): void {
  for (const flag of flags) {
    const field = flagFields[flag];
    if (field !== undefined) writer.writeBool(field, true);
  }
}

/** The bytes of a TCP connection are those on the wire; of a request only what it sent upstream is. */
function writeWireBytes(writer: Writer, entry: AccessLogEntry): void {
  if (entry.type !== "downstreamEnd") {
    writeCount(writer, common.downstreamWireBytesSent, entry.bytesSent);
    writeCount(writer, common.downstreamWireBytesReceived, entry.bytesReceived);
    writeCount(writer, common.upstreamWireBytesReceived, entry.upstreamBytesReceived);
  }
  writeCount(writer, common.upstreamWireBytesSent, entry.upstreamBytesSent);
}
