/**
 * Offsets of the stats within their blocks, looked up once: the hot path adds to
 * `values[block + offset]` and nothing else.
 */
import {
  clusterStats,
  countedStatusCodes,
  hostStats,
  http1Stats,
  http2Stats,
  httpStats,
  listenerHttpStats,
} from "../../shared/stats/stat-names.ts";

const http = (name: Parameters<typeof httpStats.offset>[0]): number => httpStats.offset(name);

/** `http.<stat_prefix>.` */
export const httpStat = {
  cxTotal: http("downstream_cx_total"),
  cxHttp2Total: http("downstream_cx_http2_total"),
  cxSslTotal: http("downstream_cx_ssl_total"),
  cxHttp1Total: http("downstream_cx_http1_total"),
  cxDestroy: http("downstream_cx_destroy"),
  cxDestroyRemote: http("downstream_cx_destroy_remote"),
  cxDestroyLocal: http("downstream_cx_destroy_local"),
  cxDestroyActiveRq: http("downstream_cx_destroy_active_rq"),
  cxDestroyLocalActiveRq: http("downstream_cx_destroy_local_active_rq"),
  cxDestroyRemoteActiveRq: http("downstream_cx_destroy_remote_active_rq"),
  cxProtocolError: http("downstream_cx_protocol_error"),
  cxRxBytes: http("downstream_cx_rx_bytes_total"),
  cxTxBytes: http("downstream_cx_tx_bytes_total"),
  cxDrainClose: http("downstream_cx_drain_close"),
  cxUpgradesTotal: http("downstream_cx_upgrades_total"),
  cxUpgradesActive: http("downstream_cx_upgrades_active"),
  cxIdleTimeout: http("downstream_cx_idle_timeout"),
  cxMaxDuration: http("downstream_cx_max_duration_reached"),
  cxHttp1SoftDrain: http("downstream_cx_http1_soft_drain"),
  cxMaxRequests: http("downstream_cx_max_requests_reached"),
  cxOverloadDisableKeepalive: http("downstream_cx_overload_disable_keepalive"),
  cxDelayedCloseTimeout: http("downstream_cx_delayed_close_timeout"),
  pausedReading: http("downstream_flow_control_paused_reading_total"),
  resumedReading: http("downstream_flow_control_resumed_reading_total"),
  rqTotal: http("downstream_rq_total"),
  rqHttp2Total: http("downstream_rq_http2_total"),
  rqHttp1Total: http("downstream_rq_http1_total"),
  rqCompleted: http("downstream_rq_completed"),
  rq1xx: http("downstream_rq_1xx"),
  rqRxReset: http("downstream_rq_rx_reset"),
  rqTxReset: http("downstream_rq_tx_reset"),
  rqIdleTimeout: http("downstream_rq_idle_timeout"),
  rqMaxDuration: http("downstream_rq_max_duration_reached"),
  rqTimeout: http("downstream_rq_timeout"),
  rqHeaderTimeout: http("downstream_rq_header_timeout"),
  rqOverloadClose: http("downstream_rq_overload_close"),
  rqNonRelativePath: http("downstream_rq_non_relative_path"),
  rqTooLarge: http("downstream_rq_too_large"),
  rqResponseBeforeComplete: http("downstream_rq_response_before_rq_complete"),
  rqTooManyPrematureResets: http("downstream_rq_too_many_premature_resets"),
  noRoute: http("no_route"),
  noCluster: http("no_cluster"),
  routerRqTotal: http("rq_total"),
  rqDirectResponse: http("rq_direct_response"),
  rqResetAfterStart: http("rq_reset_after_downstream_response_started"),
  redirectBadLocation: http("passthrough_internal_redirect_bad_location"),
  redirectNoRoute: http("passthrough_internal_redirect_no_route"),
  redirectPredicate: http("passthrough_internal_redirect_predicate"),
  redirectTooMany: http("passthrough_internal_redirect_too_many_redirects"),
  redirectUnsafeScheme: http("passthrough_internal_redirect_unsafe_scheme"),
  cxActive: http("downstream_cx_active"),
  cxHttp2Active: http("downstream_cx_http2_active"),
  cxSslActive: http("downstream_cx_ssl_active"),
  cxHttp1Active: http("downstream_cx_http1_active"),
  rqActive: http("downstream_rq_active"),
  cxLengthMs: http("downstream_cx_length_ms"),
  rqTime: http("downstream_rq_time"),
} as const;

/** `listener.<address>.http.<stat_prefix>.` */
export const listenerHttpStat = {
  rqCompleted: listenerHttpStats.offset("downstream_rq_completed"),
  rq1xx: listenerHttpStats.offset("downstream_rq_1xx"),
} as const;

/** `http2.` */
export const http1Stat = {
  metadataNotSupported: http1Stats.offset("metadata_not_supported_error"),
} as const;

export const http2Stat = {
  goawaySent: http2Stats.offset("goaway_sent"),
  headerListSizeTooLarge: http2Stats.offset("header_list_size_too_large"),
  headerOverflow: http2Stats.offset("header_overflow"),
  inboundEmptyFramesFlood: http2Stats.offset("inbound_empty_frames_flood"),
  inboundPriorityFramesFlood: http2Stats.offset("inbound_priority_frames_flood"),
  inboundWindowUpdateFramesFlood: http2Stats.offset("inbound_window_update_frames_flood"),
  keepaliveTimeout: http2Stats.offset("keepalive_timeout"),
  metadataEmptyFrames: http2Stats.offset("metadata_empty_frames"),
  outboundControlFlood: http2Stats.offset("outbound_control_flood"),
  outboundFlood: http2Stats.offset("outbound_flood"),
  rxMessagingError: http2Stats.offset("rx_messaging_error"),
  rxReset: http2Stats.offset("rx_reset"),
  streamRefused: http2Stats.offset("stream_refused_errors"),
  trailers: http2Stats.offset("trailers"),
  txFlushTimeout: http2Stats.offset("tx_flush_timeout"),
  txReset: http2Stats.offset("tx_reset"),
  streamsActive: http2Stats.offset("streams_active"),
} as const;

const cluster = (name: Parameters<typeof clusterStats.offset>[0]): number =>
  clusterStats.offset(name);

/** `cluster.<name>.` */
export const clusterStat = {
  cxTotal: cluster("upstream_cx_total"),
  cxHttp1Total: cluster("upstream_cx_http1_total"),
  cxHttp2Total: cluster("upstream_cx_http2_total"),
  cxCloseNotify: cluster("upstream_cx_close_notify"),
  cxConnectFail: cluster("upstream_cx_connect_fail"),
  cxConnectTimeout: cluster("upstream_cx_connect_timeout"),
  cxIdleTimeout: cluster("upstream_cx_idle_timeout"),
  cxMaxDuration: cluster("upstream_cx_max_duration_reached"),
  cxMaxRequests: cluster("upstream_cx_max_requests"),
  cxNoneHealthy: cluster("upstream_cx_none_healthy"),
  cxOverflow: cluster("upstream_cx_overflow"),
  cxProtocolError: cluster("upstream_cx_protocol_error"),
  cxDestroy: cluster("upstream_cx_destroy"),
  cxDestroyLocal: cluster("upstream_cx_destroy_local"),
  cxDestroyRemote: cluster("upstream_cx_destroy_remote"),
  cxDestroyActiveRq: cluster("upstream_cx_destroy_with_active_rq"),
  cxDestroyLocalActiveRq: cluster("upstream_cx_destroy_local_with_active_rq"),
  cxDestroyRemoteActiveRq: cluster("upstream_cx_destroy_remote_with_active_rq"),
  cxRxBytes: cluster("upstream_cx_rx_bytes_total"),
  cxTxBytes: cluster("upstream_cx_tx_bytes_total"),
  backedUp: cluster("upstream_flow_control_backed_up_total"),
  drained: cluster("upstream_flow_control_drained_total"),
  pausedReading: cluster("upstream_flow_control_paused_reading_total"),
  resumedReading: cluster("upstream_flow_control_resumed_reading_total"),
  rqTotal: cluster("upstream_rq_total"),
  rqCompleted: cluster("upstream_rq_completed"),
  rqCancelled: cluster("upstream_rq_cancelled"),
  rqTimeout: cluster("upstream_rq_timeout"),
  rqPerTryTimeout: cluster("upstream_rq_per_try_timeout"),
  rqMaxDuration: cluster("upstream_rq_max_duration_reached"),
  rqPerTryIdleTimeout: cluster("upstream_rq_per_try_idle_timeout"),
  rqRxReset: cluster("upstream_rq_rx_reset"),
  rqTxReset: cluster("upstream_rq_tx_reset"),
  rqRetry: cluster("upstream_rq_retry"),
  rqRetrySuccess: cluster("upstream_rq_retry_success"),
  rqRetryOverflow: cluster("upstream_rq_retry_overflow"),
  rqRetryLimitExceeded: cluster("upstream_rq_retry_limit_exceeded"),
  rqRetryBackoffExponential: cluster("upstream_rq_retry_backoff_exponential"),
  rqPendingTotal: cluster("upstream_rq_pending_total"),
  rqPendingOverflow: cluster("upstream_rq_pending_overflow"),
  rqActiveOverflow: cluster("upstream_rq_active_overflow"),
  rqPendingFailureEject: cluster("upstream_rq_pending_failure_eject"),
  redirectFailed: cluster("upstream_internal_redirect_failed_total"),
  redirectSucceeded: cluster("upstream_internal_redirect_succeeded_total"),
  rq1xx: cluster("upstream_rq_1xx"),
  cxActive: cluster("upstream_cx_active"),
  rqActive: cluster("upstream_rq_active"),
  rqPendingActive: cluster("upstream_rq_pending_active"),
  cxConnectMs: cluster("upstream_cx_connect_ms"),
  cxLengthMs: cluster("upstream_cx_length_ms"),
  rqTime: cluster("upstream_rq_time"),
} as const;

/** Of one host. */
export const hostStat = {
  cxTotal: hostStats.offset("cx_total"),
  cxEnded: hostStats.offset("cx_ended"),
  cxConnectFail: hostStats.offset("cx_connect_fail"),
  rqTotal: hostStats.offset("rq_total"),
  rqEnded: hostStats.offset("rq_ended"),
  rqSuccess: hostStats.offset("rq_success"),
  rqError: hostStats.offset("rq_error"),
  rqTimeout: hostStats.offset("rq_timeout"),
  rqPendingTotal: hostStats.offset("rq_pending_total"),
  rqPendingEnded: hostStats.offset("rq_pending_ended"),
} as const;

/** `upstream_rq_<code>` by code; -1 where the code has no counter of its own. */
export const statusCodeOffset = new Int32Array(1000).fill(-1);
for (const code of countedStatusCodes) statusCodeOffset[code] = cluster(`upstream_rq_${code}`);

/** 0 for 1xx … 4 for 5xx: the class counters follow one another in each group. */
export function statusClass(status: number): number {
  return status < 200 ? 0 : status < 300 ? 1 : status < 400 ? 2 : status < 500 ? 3 : 4;
}
