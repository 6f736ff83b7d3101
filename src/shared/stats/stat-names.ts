import { defineStats } from "./stat-group.ts";

/**
 * Every stat that a worker writes, under Envoy's names byte for byte
 * (docs: https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats and its siblings).
 * A name stands here only if something counts it; of listeners all of Envoy's do, since dashboards ask for the block.
 */

/** `listener.<address or stat_prefix>.` */
export const listenerStats = defineStats({
  counters: [
    "downstream_cx_total",
    "downstream_cx_destroy",
    "downstream_cx_overflow",
    "downstream_global_cx_overflow",
    "downstream_pre_cx_timeout",
    "downstream_cx_transport_socket_connect_timeout",
    "downstream_listener_filter_error",
    "downstream_listener_filter_remote_close",
    "no_filter_chain_match",
    "downstream_cx_overload_reject",
    "extension_config_missing",
    "network_extension_config_missing",
  ],
  gauges: ["downstream_cx_active", "downstream_pre_cx_active"],
  histograms: ["downstream_cx_length_ms", "connections_accepted_per_socket_event"],
});

/** `listener.<address>.worker_N.`; written by that worker alone. */
export const listenerWorkerStats = defineStats({
  counters: ["downstream_cx_total"],
  gauges: ["downstream_cx_active"],
});

/** `http.<stat_prefix>.` */
export const httpStats = defineStats({
  counters: [
    "downstream_cx_total",
    "downstream_cx_ssl_total",
    "downstream_cx_http1_total",
    "downstream_cx_http2_total",
    "downstream_cx_upgrades_total",
    "downstream_cx_destroy",
    "downstream_cx_destroy_remote",
    "downstream_cx_destroy_local",
    "downstream_cx_destroy_active_rq",
    "downstream_cx_destroy_local_active_rq",
    "downstream_cx_destroy_remote_active_rq",
    "downstream_cx_protocol_error",
    "downstream_cx_rx_bytes_total",
    "downstream_cx_tx_bytes_total",
    "downstream_cx_drain_close",
    "downstream_cx_idle_timeout",
    "downstream_cx_max_duration_reached",
    "downstream_cx_max_requests_reached",
    "downstream_cx_overload_disable_keepalive",
    "downstream_cx_delayed_close_timeout",
    "downstream_flow_control_paused_reading_total",
    "downstream_flow_control_resumed_reading_total",
    "downstream_rq_total",
    "downstream_rq_http1_total",
    "downstream_rq_http2_total",
    "downstream_rq_completed",
    "downstream_rq_1xx",
    "downstream_rq_2xx",
    "downstream_rq_3xx",
    "downstream_rq_4xx",
    "downstream_rq_5xx",
    "downstream_rq_rx_reset",
    "downstream_rq_tx_reset",
    "downstream_rq_idle_timeout",
    "downstream_rq_max_duration_reached",
    "downstream_rq_timeout",
    "downstream_rq_header_timeout",
    "downstream_rq_overload_close",
    "downstream_rq_non_relative_path",
    "downstream_rq_too_large",
    "downstream_rq_response_before_rq_complete",
    "downstream_rq_too_many_premature_resets",
    "no_route",
    "no_cluster",
    "rq_total",
    "rq_direct_response",
    "rq_redirect",
    "rq_reset_after_downstream_response_started",
    "passthrough_internal_redirect_bad_location",
    "passthrough_internal_redirect_no_route",
    "passthrough_internal_redirect_predicate",
    "passthrough_internal_redirect_too_many_redirects",
    "passthrough_internal_redirect_unsafe_scheme",
  ],
  gauges: [
    "downstream_cx_active",
    "downstream_cx_ssl_active",
    "downstream_cx_http1_active",
    "downstream_cx_http2_active",
    "downstream_cx_upgrades_active",
    "downstream_cx_http1_soft_drain",
    "downstream_rq_active",
  ],
  histograms: ["downstream_cx_length_ms", "downstream_rq_time"],
});

/** `listener.<address>.http.<stat_prefix>.` */
export const listenerHttpStats = defineStats({
  counters: [
    "downstream_rq_completed",
    "downstream_rq_1xx",
    "downstream_rq_2xx",
    "downstream_rq_3xx",
    "downstream_rq_4xx",
    "downstream_rq_5xx",
  ],
});

/** `http2.`: of the codec, of all listeners together; and `cluster.<name>.http2.`. */
export const http2Stats = defineStats({
  counters: [
    "goaway_sent",
    "header_list_size_too_large",
    "header_overflow",
    "inbound_empty_frames_flood",
    "inbound_priority_frames_flood",
    "inbound_window_update_frames_flood",
    "keepalive_timeout",
    "metadata_empty_frames",
    "outbound_control_flood",
    "outbound_flood",
    "rx_messaging_error",
    "rx_reset",
    "stream_refused_errors",
    "trailers",
    "tx_flush_timeout",
    "tx_reset",
  ],
  gauges: ["streams_active"],
});

/** `http1.` and `cluster.<name>.http1.` */
export const http1Stats = defineStats({ counters: ["metadata_not_supported_error"] });

/** `http.<stat_prefix>.credential_injector.` */
export const credentialInjectorStats = defineStats({
  counters: ["injected", "failed", "already_exists"],
});

/** `tcp.<stat_prefix>.` */
export const tcpStats = defineStats({
  counters: [
    "downstream_cx_total",
    "downstream_cx_no_route",
    "downstream_cx_rx_bytes_total",
    "downstream_cx_tx_bytes_total",
    "downstream_cx_drain_close",
    "downstream_flow_control_paused_reading_total",
    "downstream_flow_control_resumed_reading_total",
    "idle_timeout",
    "max_downstream_connection_duration",
    "upstream_flush_total",
  ],
  gauges: ["upstream_flush_active"],
});

/** `tcp.<stat_prefix>.`, with `on_demand`. */
export const tcpOnDemandStats = defineStats({
  counters: [
    "on_demand_cluster_attempt",
    "on_demand_cluster_missing",
    "on_demand_cluster_success",
    "on_demand_cluster_timeout",
  ],
});

/** The status codes that get a counter of their own (`upstream_rq_<code>`); others count in their class only. */
export const countedStatusCodes = [
  100, 101, 103, 200, 201, 202, 203, 204, 205, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400,
  401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
  422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511,
] as const;

/** Of gRPC, as numbers: each has a counter; others count as failures alone. */
const grpcStatuses = [
  "0",
  "1",
  "2",
  "3",
  "4",
  "5",
  "6",
  "7",
  "8",
  "9",
  "10",
  "11",
  "12",
  "13",
  "14",
  "15",
  "16",
] as const;

/** `cluster.<name>.`; counts of hosts and warming are main's (`control/cluster`). */
export const clusterStats = defineStats({
  counters: [
    "upstream_cx_total",
    "upstream_cx_http1_total",
    "upstream_cx_http2_total",
    "upstream_cx_close_notify",
    "upstream_cx_connect_fail",
    "upstream_cx_connect_timeout",
    "upstream_cx_connect_attempts_exceeded",
    "upstream_cx_idle_timeout",
    "upstream_cx_max_duration_reached",
    "upstream_cx_max_requests",
    "upstream_cx_none_healthy",
    "upstream_cx_overflow",
    "upstream_cx_pool_overflow",
    "upstream_cx_protocol_error",
    "upstream_cx_destroy",
    "upstream_cx_destroy_local",
    "upstream_cx_destroy_remote",
    "upstream_cx_destroy_with_active_rq",
    "upstream_cx_destroy_local_with_active_rq",
    "upstream_cx_destroy_remote_with_active_rq",
    "upstream_cx_rx_bytes_total",
    "upstream_cx_tx_bytes_total",
    "upstream_flow_control_backed_up_total",
    "upstream_flow_control_drained_total",
    "upstream_flow_control_paused_reading_total",
    "upstream_flow_control_resumed_reading_total",
    "upstream_rq_total",
    "upstream_rq_completed",
    "upstream_rq_cancelled",
    "upstream_rq_timeout",
    "upstream_rq_per_try_idle_timeout",
    "upstream_rq_per_try_timeout",
    "upstream_rq_max_duration_reached",
    "upstream_rq_rx_reset",
    "upstream_rq_tx_reset",
    "upstream_rq_retry",
    "upstream_rq_retry_success",
    "upstream_rq_retry_overflow",
    "upstream_rq_retry_limit_exceeded",
    "upstream_rq_retry_backoff_exponential",
    "upstream_rq_pending_total",
    "upstream_rq_pending_overflow",
    "upstream_rq_active_overflow",
    "upstream_rq_pending_failure_eject",
    "upstream_internal_redirect_failed_total",
    "upstream_internal_redirect_succeeded_total",
    "upstream_rq_1xx",
    "upstream_rq_2xx",
    "upstream_rq_3xx",
    "upstream_rq_4xx",
    "upstream_rq_5xx",
    ...countedStatusCodes.map((code) => `upstream_rq_${code}` as const),
    "bind_errors",
    "lb_healthy_panic",
    "original_dst_host_invalid",
  ],
  gauges: ["upstream_cx_active", "upstream_rq_active", "upstream_rq_pending_active"],
  histograms: ["upstream_cx_connect_ms", "upstream_cx_length_ms", "upstream_rq_time"],
});

/** `cluster.<name>.grpc.<service>.<method>.`, and `cluster.<name>.grpc.` of all that are not counted apart. */
export const grpcCallStats = defineStats({
  onceCounted: [
    ...grpcStatuses,
    "success",
    "failure",
    "total",
    "request_message_count",
    "response_message_count",
  ],
  onceRecorded: ["upstream_rq_time"],
});

/** `cluster.<name>.`: hosts and warming. */
export const clusterMembershipStats = defineStats({
  counters: ["membership_change"],
  gauges: [
    "membership_total",
    "membership_healthy",
    "membership_degraded",
    "membership_excluded",
    "max_host_weight",
    "warming_state",
  ],
});

/**
 * Of one host of a cluster: in no list of stats, as in Envoy, but shown by `/clusters` and reported as load. What is
 * active is what began less what ended, so workers only ever count up.
 */
export const hostStats = defineStats({
  counters: [
    "cx_total",
    "cx_ended",
    "cx_connect_fail",
    "rq_total",
    "rq_ended",
    "rq_success",
    "rq_error",
    "rq_timeout",
    "rq_pending_total",
    "rq_pending_ended",
  ],
});

/** `<thread>.`, of the main thread and of all workers, and `server.<thread>.`, of each. */
export const watchdogStats = defineStats({
  counters: ["watchdog_miss", "watchdog_mega_miss"],
});

/** `overload.<monitor>.` of downstream connections: whom it turned away failed to get a place. */
export const connectionMonitorStats = defineStats({
  counters: ["failed_updates"],
  gauges: ["pressure"],
});

/** `overload.<load shed point>.`: workers count, main sets the gauge. */
export const loadShedStats = defineStats({
  counters: ["shed_load_count"],
  gauges: ["scale_percent"],
});

/** `server.dispatcher.` of the main thread, `listener_manager.worker_N.dispatcher.` of a worker. */
export const dispatcherStats = defineStats({
  histograms: ["loop_duration_us", "poll_delay_us"],
});

/** `sluice.worker.`: bounds that were hit and bugs that were survived. */
export const sluiceWorkerStats = defineStats({
  counters: [
    "connection_bugs",
    "arena_exhausted",
    "access_log_dropped",
    "connections_handed_over",
    "descriptors_exhausted",
    "on_demand_overflow",
    "original_dst_hosts_overflow",
    "http_filter_failures",
    "grpc_methods_overflow",
  ],
  gauges: ["arena_bytes", "on_demand_waiting"],
});
