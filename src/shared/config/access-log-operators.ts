/**
 * Envoy's command operators that are built (docs: configuration/observability/access_log/usage): main
 * refuses every other by name, workers print these. What names a feature that is not built yet (dynamic
 * metadata, the server name of TLS) is here when it is truly empty without it.
 */
export const accessLogOperators = [
  "BYTES_RECEIVED",
  "BYTES_SENT",
  "CONNECTION_ID",
  "CONNECTION_TERMINATION_DETAILS",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_LOCAL_ADDRESS",
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_LOCAL_PORT",
  "DOWNSTREAM_REMOTE_ADDRESS",
  "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_REMOTE_PORT",
  "DURATION",
  "DYNAMIC_METADATA",
  "FILTER_CHAIN_NAME",
  "HOSTNAME",
  "PROTOCOL",
  "REQ",
  "REQUESTED_SERVER_NAME",
  "REQUEST_DURATION",
  "REQUEST_TX_DURATION",
  "REQ_WITHOUT_QUERY",
  "RESP",
  "RESPONSE_CODE",
  "RESPONSE_CODE_DETAILS",
  "RESPONSE_DURATION",
  "RESPONSE_FLAGS",
  "RESPONSE_FLAGS_LONG",
  "RESPONSE_TX_DURATION",
  "ROUTE_NAME",
  "START_TIME",
  "TRAILER",
  "UPSTREAM_CLUSTER",
  "UPSTREAM_CLUSTER_RAW",
  "UPSTREAM_HOST",
  "UPSTREAM_HOST_NAME",
  "UPSTREAM_LOCAL_ADDRESS",
  "UPSTREAM_REMOTE_ADDRESS",
  "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
  "UPSTREAM_REQUEST_ATTEMPT_COUNT",
  "UPSTREAM_TRANSPORT_FAILURE_REASON",
  "UPSTREAM_WIRE_BYTES_RECEIVED",
  "UPSTREAM_WIRE_BYTES_SENT",
  "VIRTUAL_HOST_NAME",
] as const;

export type AccessLogOperator = (typeof accessLogOperators)[number];

/** Operators whose argument is `name?alternative`: two headers, the first that is there counts. */
const headerOperators: readonly AccessLogOperator[] = [
  "REQ",
  "REQ_WITHOUT_QUERY",
  "RESP",
  "TRAILER",
];

export function isAccessLogOperator(name: string): name is AccessLogOperator {
  return (accessLogOperators as readonly string[]).includes(name);
}

export function takesHeaderNames(name: string): boolean {
  return (headerOperators as readonly string[]).includes(name);
}
