/**
 * Envoy's command operators that are built (docs: configuration/observability/access_log/usage): main
 * refuses every other by name, workers print these. What names a feature that is not built yet (dynamic
 * metadata) is here when it is truly empty without it.
 */
const plainOperators = [
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
  "GRPC_STATUS",
  "GRPC_STATUS_NUMBER",
  "HOSTNAME",
  "PROTOCOL",
  "REQ",
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

/** Of the handshakes of both sides, or of what a listener filter saw of one; nothing on plain text. */
const tlsOperators = [
  "DOWNSTREAM_LOCAL_DNS_SAN",
  "DOWNSTREAM_LOCAL_EMAIL_SAN",
  "DOWNSTREAM_LOCAL_IP_SAN",
  "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
  "DOWNSTREAM_LOCAL_SUBJECT",
  "DOWNSTREAM_LOCAL_URI_SAN",
  "DOWNSTREAM_PEER_CERT",
  "DOWNSTREAM_PEER_CERT_V_END",
  "DOWNSTREAM_PEER_CERT_V_START",
  "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
  "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
  "DOWNSTREAM_PEER_CHAIN_SERIALS",
  "DOWNSTREAM_PEER_DNS_SAN",
  "DOWNSTREAM_PEER_EMAIL_SAN",
  "DOWNSTREAM_PEER_FINGERPRINT_1",
  "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_IP_SAN",
  "DOWNSTREAM_PEER_ISSUER",
  "DOWNSTREAM_PEER_OTHERNAME_SAN",
  "DOWNSTREAM_PEER_SERIAL",
  "DOWNSTREAM_PEER_SUBJECT",
  "DOWNSTREAM_PEER_URI_SAN",
  "DOWNSTREAM_TLS_CIPHER",
  "DOWNSTREAM_TLS_SESSION_ID",
  "DOWNSTREAM_TLS_VERSION",
  "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
  "REQUESTED_SERVER_NAME",
  "TLS_JA3_FINGERPRINT",
  "TLS_JA4_FINGERPRINT",
  "UPSTREAM_LOCAL_DNS_SAN",
  "UPSTREAM_LOCAL_IP_SAN",
  "UPSTREAM_LOCAL_SUBJECT",
  "UPSTREAM_LOCAL_URI_SAN",
  "UPSTREAM_PEER_CERT",
  "UPSTREAM_PEER_CERT_V_END",
  "UPSTREAM_PEER_CERT_V_START",
  "UPSTREAM_PEER_DNS_SAN",
  "UPSTREAM_PEER_IP_SAN",
  "UPSTREAM_PEER_ISSUER",
  "UPSTREAM_PEER_SUBJECT",
  "UPSTREAM_PEER_URI_SAN",
  "UPSTREAM_TLS_CIPHER",
  "UPSTREAM_TLS_SESSION_ID",
  "UPSTREAM_TLS_VERSION",
] as const;

export type PlainOperator = (typeof plainOperators)[number];
export type TlsOperator = (typeof tlsOperators)[number];
export type AccessLogOperator = PlainOperator | TlsOperator;

export const accessLogOperators: readonly AccessLogOperator[] = [
  ...plainOperators,
  ...tlsOperators,
];

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
