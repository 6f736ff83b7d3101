/**
 * What each command operator prints (docs: configuration/observability/access_log/usage). A value is a
 * number or text; undefined prints `-` in text and `null` in JSON.
 */
import { hostname } from "node:os";
import { formatAddress, type SocketAddress } from "../../../shared/common/address.ts";
import type { AccessLogOperator } from "../../../shared/config/access-log-operators.ts";
import { responseFlags, type StreamInfo } from "../../network/stream-info.ts";
import { grpcStatusPrinter } from "./grpc-status.ts";
import { formatTime } from "./start-time.ts";
import { tlsOperatorMakers } from "./tls-operators.ts";

export type OperatorValue = string | number | undefined;
export type Operator = (info: StreamInfo) => OperatorValue;

const hostName = hostname();

type OperatorMaker = (args: readonly string[]) => Operator;

const plain =
  (operator: Operator): OperatorMaker =>
  () =>
    operator;

/** One entry an operator; the compiler asks for every name of the shared list. */
const operatorMakers: Readonly<Record<AccessLogOperator, OperatorMaker>> = {
  ...tlsOperatorMakers,
  BYTES_RECEIVED: plain((info) => info.bytesReceived),
  BYTES_SENT: plain((info) => info.bytesSent),
  CONNECTION_ID: plain((info) => info.connectionId),
  CONNECTION_TERMINATION_DETAILS: plain((info) => info.connectionTerminationDetails),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((info) => address(info.downstreamDirectRemoteAddress)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((info) =>
    host(info.downstreamDirectRemoteAddress),
  ),
  DOWNSTREAM_LOCAL_ADDRESS: plain((info) => address(info.downstreamLocalAddress)),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((info) => host(info.downstreamLocalAddress)),
  DOWNSTREAM_LOCAL_PORT: plain((info) => port(info.downstreamLocalAddress)),
  DOWNSTREAM_REMOTE_ADDRESS: plain((info) => address(info.downstreamRemoteAddress)),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((info) => host(info.downstreamRemoteAddress)),
  DOWNSTREAM_REMOTE_PORT: plain((info) => port(info.downstreamRemoteAddress)),
  DURATION: plain((info) => Math.floor(info.endMs - info.startMs)),
  DYNAMIC_METADATA: plain(() => undefined),
  FILTER_CHAIN_NAME: plain((info) => info.filterChainName || undefined),
  GRPC_STATUS: ([form = ""]) => grpcStatusPrinter(form),
  GRPC_STATUS_NUMBER: plain((info) => info.grpcStatus),
  HOSTNAME: plain(() => hostName),
  PROTOCOL: plain((info) => info.protocol),
  REQ: (args) => header(args, (info, name) => info.requestHeader(name)),
  REQUEST_DURATION: plain((info) => since(info, info.requestEndMs)),
  REQUEST_TX_DURATION: plain((info) => since(info, info.upstreamStartMs)),
  REQ_WITHOUT_QUERY: (args) =>
    header(args, (info, name) => info.requestHeader(name)?.replace(/\?.*$/s, "")),
  RESP: (args) => header(args, (info, name) => info.responseHeader(name)),
  // Envoy prints 0 for a request that got no response; a TCP connection has none either.
  RESPONSE_CODE: plain((info) => info.responseCode),
  RESPONSE_CODE_DETAILS: plain((info) => info.responseCodeDetails),
  RESPONSE_DURATION: plain((info) => since(info, info.responseStartMs)),
  RESPONSE_FLAGS: plain((info) => info.responseFlags.join(",") || undefined),
  RESPONSE_FLAGS_LONG: plain(
    (info) => info.responseFlags.map((flag) => responseFlags[flag]).join(",") || undefined,
  ),
  RESPONSE_TX_DURATION: plain((info) =>
    info.responseStartMs === undefined ? undefined : Math.floor(info.endMs - info.responseStartMs),
  ),
  ROUTE_NAME: plain((info) => info.routeName || undefined),
  START_TIME: ([format = ""]) => startTime(format),
  TRAILER: (args) => header(args, (info, name) => info.responseTrailer(name)),
  UPSTREAM_CLUSTER: plain((info) => info.upstreamCluster),
  // Envoy: the name whatever `alt_stat_name` says; here the other one says no more.
  UPSTREAM_CLUSTER_RAW: plain((info) => info.upstreamCluster),
  UPSTREAM_HOST: plain((info) => address(info.upstreamHost)),
  UPSTREAM_HOST_NAME: plain((info) => info.upstreamHostname || address(info.upstreamHost)),
  UPSTREAM_LOCAL_ADDRESS: plain((info) => address(info.upstreamLocalAddress)),
  UPSTREAM_REMOTE_ADDRESS: plain((info) => address(info.upstreamHost)),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((info) => host(info.upstreamHost)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((info) => info.upstreamAttemptCount),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((info) => info.upstreamTransportFailureReason),
  UPSTREAM_WIRE_BYTES_RECEIVED: plain((info) => info.upstreamBytesReceived),
  UPSTREAM_WIRE_BYTES_SENT: plain((info) => info.upstreamBytesSent),
  VIRTUAL_HOST_NAME: plain((info) => info.virtualHostName),
};

/** The operator's reader. The name was judged on main. */
export function makeOperator(name: string, args: readonly string[]): Operator {
  return operatorMakers[name as AccessLogOperator](args);
}

function header(
  [first = "", second]: readonly string[],
  read: (info: StreamInfo, name: string) => string | undefined,
): Operator {
  return (info) => read(info, first) ?? (second === undefined ? undefined : read(info, second));
}

/** Requests of one millisecond share the text. */
function startTime(format: string): Operator {
  let lastMs = -1;
  let lastText = "";
  return (info) => {
    if (info.startWallMs !== lastMs) {
      lastMs = info.startWallMs;
      lastText = formatTime(lastMs, format);
    }
    return lastText;
  };
}

function since(info: StreamInfo, instantMs: number | undefined): number | undefined {
  return instantMs === undefined ? undefined : Math.floor(instantMs - info.startMs);
}

function address(value: SocketAddress | undefined): string | undefined {
  return value && formatAddress(value);
}

function host(value: SocketAddress | undefined): string | undefined {
  return value?.kind === "ip" ? value.ip : address(value);
}

function port(value: SocketAddress | undefined): number | undefined {
  return value?.kind === "ip" ? value.port : undefined;
}
