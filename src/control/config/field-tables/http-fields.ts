/** The HTTP connection manager, its filters, and HTTP options of listeners and clusters. */
import type { FieldTables } from "./field-table.ts";

const manager =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" as const;
const scoped = "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes" as const;
const extractor = `${scoped}.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor` as const;
const pathJudgement = "paths would be matched in another form";

export const httpFields: FieldTables = {
  [manager]: {
    honoured: [
      "codec_type",
      "stat_prefix",
      "rds",
      "route_config",
      "scoped_routes",
      "http_filters",
      "common_http_protocol_options",
      "http_protocol_options",
      "http2_protocol_options",
      "server_name",
      "server_header_transformation",
      "max_request_headers_kb",
      "stream_error_on_invalid_http_message",
      "stream_idle_timeout",
      "request_timeout",
      "request_headers_timeout",
      "drain_timeout",
      "delayed_close_timeout",
      "access_log",
      "use_remote_address",
      "xff_num_trusted_hops",
      "skip_xff_append",
      "forward_client_cert_details",
      "set_current_client_cert_details",
      "via",
      "generate_request_id",
      "preserve_external_request_id",
      "always_set_request_id_in_response",
      "upgrade_configs",
      "normalize_path",
      "merge_slashes",
      "path_with_escaped_slashes_action",
      "request_id_extension",
      "strip_matching_host_port",
      "strip_any_host_port",
      "http1_safe_max_connection_duration",
    ],
    refused: {
      original_ip_detection_extensions: "the client's address would be another",
      early_header_mutation_extensions: "requests would be routed by other headers",
      path_normalization_options: pathJudgement,
      strip_trailing_host_dot: "hosts would be matched in another form",
      typed_header_validation_config: "other requests would pass",
    },
    warned: {
      add_user_agent: "headers are passed on as they came",
      tracing: "nothing is traced",
      http3_protocol_options: "HTTP/3 is not built",
      scheme_header_transformation: "the scheme is that of the connection",
      access_log_flush_interval: "a request is logged when it ends",
      flush_access_log_on_new_request: "a request is logged when it ends",
      access_log_options: "a request is logged when it ends",
      internal_address_config: "nobody is taken for internal",
      proxy_100_continue: "100-continue is answered here",
      represent_ipv4_remote_address_as_ipv4_mapped_ipv6: "addresses are shown as they are",
      local_reply_config: "local replies are Envoy's own",
      proxy_status_config: "no proxy-status header is written",
      append_x_forwarded_port: "no x-forwarded-port header is written",
      append_local_overload: "no header tells of overload",
      add_proxy_protocol_connection_state: "the PROXY protocol is not built",
      stream_flush_timeout: "stream_idle_timeout holds",
      drain_timeout_jitter: "each connection has its own instant in a drain",
      record_route_resolution_stats: "no such stats",
    },
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig":
    "whole",
  "envoy.extensions.filters.network.http_connection_manager.v3.Rds": {
    honoured: ["config_source", "route_config_name"],
  },
  [scoped]: {
    honoured: [
      "name",
      "scope_key_builder",
      "rds_config_source",
      "scoped_route_configurations_list",
      "scoped_rds",
    ],
  },
  [`${scoped}.ScopeKeyBuilder`]: { honoured: ["fragments"] },
  [`${scoped}.ScopeKeyBuilder.FragmentBuilder`]: { honoured: ["header_value_extractor"] },
  [extractor]: { honoured: ["name", "element_separator", "index", "element"] },
  [`${extractor}.KvElement`]: { honoured: ["separator", "key"] },
  "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRouteConfigurationsList": {
    honoured: ["scoped_route_configurations"],
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRds": {
    honoured: ["scoped_rds_config_source", "srds_resources_locator"],
  },
  "envoy.extensions.filters.http.on_demand.v3.OnDemand": { honoured: ["odcds"] },
  "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig": { honoured: ["odcds"] },
  "envoy.extensions.filters.http.on_demand.v3.OnDemandCds": {
    honoured: ["source", "resources_locator", "timeout"],
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": {
    honoured: ["name", "typed_config", "config_discovery", "is_optional", "disabled"],
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension": {
    honoured: ["typed_config"],
  },
  "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig": {
    honoured: [],
    warned: {
      pack_trace_reason: "nothing is traced",
      use_request_id_for_trace_sampling: "nothing is traced",
    },
  },
  "envoy.config.core.v3.HttpProtocolOptions": {
    honoured: [
      "idle_timeout",
      "max_connection_duration",
      "max_headers_count",
      "max_stream_duration",
      "headers_with_underscores_action",
      "max_requests_per_connection",
      "max_response_headers_kb",
      "max_connection_duration_jitter",
    ],
  },
  "envoy.config.core.v3.Http1ProtocolOptions": {
    honoured: [
      "allow_absolute_url",
      "accept_http_10",
      "default_host_for_http_10",
      "enable_trailers",
      "header_key_format",
      "allow_chunked_length",
      "override_stream_error_on_invalid_http_message",
      "send_fully_qualified_url",
      "allow_custom_methods",
      "ignore_http_11_upgrade",
    ],
    warned: { use_balsa_parser: "there is one parser" },
  },
  "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat": {
    honoured: ["proper_case_words", "stateful_formatter"],
  },
  // A reason is passed on in any case.
  "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig": "whole",
  "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords": "whole",
  "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation": {
    honoured: ["mutations"],
    warned: { most_specific_header_mutations_wins: "no mutations by route are built" },
  },
  "envoy.extensions.filters.http.header_mutation.v3.Mutations": {
    honoured: ["request_mutations", "response_mutations"],
  },
  "envoy.config.common.mutation_rules.v3.HeaderMutation": { honoured: ["remove", "append"] },
  "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector": "whole",
  "envoy.extensions.http.injected_credentials.generic.v3.Generic": {
    honoured: ["credential", "header", "header_value_prefix"],
  },
  "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig": {
    honoured: [
      "individual_method_stats_allowlist",
      "stats_for_all_methods",
      "enable_upstream_stats",
      "replace_dots_in_grpc_service_name",
    ],
    warned: { emit_filter_state: "nothing here reads the message counts of a request" },
  },
  "envoy.config.core.v3.GrpcMethodList": "whole",
  "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config": "whole",
  "envoy.extensions.filters.http.router.v3.Router": {
    honoured: ["suppress_envoy_headers", "upstream_http_filters"],
    refused: { strict_check_headers: "other requests would pass" },
    warned: {
      dynamic_stats: "all stats are kept",
      start_child_span: "nothing is traced",
      upstream_log: "requests are logged downstream",
      upstream_log_options: "requests are logged downstream",
      respect_expected_rq_timeout: "the route's timeout holds",
      suppress_grpc_request_failure_code_stats: "no such stats",
      reject_connect_request_early_data: "what comes early waits for the answer",
    },
  },
  "envoy.config.core.v3.Http2ProtocolOptions": {
    honoured: [
      "hpack_table_size",
      "max_concurrent_streams",
      "initial_stream_window_size",
      "initial_connection_window_size",
      "max_outbound_frames",
      "max_outbound_control_frames",
      "max_consecutive_inbound_frames_with_empty_payload",
      "max_inbound_priority_frames_per_stream",
      "max_inbound_window_update_frames_per_data_frame_sent",
      "override_stream_error_on_invalid_http_message",
      "connection_keepalive",
      "allow_connect",
      "allow_metadata",
      "max_metadata_size",
      "stream_error_on_invalid_http_messaging",
      "custom_settings_parameters",
      "enable_huffman_encoding",
      // 64 KB at least: no head here is larger.
      "max_header_field_size_kb",
    ],
    warned: {
      use_oghttp2_codec: "the codec is our own",
    },
  },
  "envoy.config.core.v3.Http2ProtocolOptions.SettingsParameter": "whole",
  "envoy.config.core.v3.KeepaliveSettings": "whole",
  [`${manager}.SetCurrentClientCertDetails`]: "whole",
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    honoured: [
      "common_http_protocol_options",
      "explicit_http_config",
      "use_downstream_protocol_config",
      "auto_config",
      "http_filters",
      "upstream_http_protocol_options",
      "header_validation_config",
      "retry_policy",
    ],
    refused: { request_mirror_policies: "requests would not be mirrored" },
    warned: {
      outlier_detection: "no host is ejected",
      hash_policy: "no load balancer that hashes is built",
    },
  },
  "envoy.config.core.v3.UpstreamHttpProtocolOptions": {
    honoured: ["auto_sni", "auto_san_validation", "override_auto_sni_header"],
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig": {
    honoured: ["http_protocol_options", "http2_protocol_options"],
    refused: { http3_protocol_options: "HTTP/3 is not built" },
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig": {
    honoured: ["http_protocol_options", "http2_protocol_options"],
    warned: { http3_protocol_options: "HTTP/3 is not built" },
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig": {
    honoured: ["http_protocol_options", "http2_protocol_options"],
    warned: {
      http3_protocol_options: "HTTP/3 is not built",
      alternate_protocols_cache_options: "HTTP/3 is not built",
    },
  },
};
