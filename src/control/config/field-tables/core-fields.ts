/** Messages that many resources share: addresses, sources, matchers, access logs. */
import type { FieldTables } from "./field-table.ts";

const callCredentials = "of call credentials only access_token is built";

export const coreFields: FieldTables = {
  "envoy.config.core.v3.Address": {
    honoured: ["socket_address", "pipe"],
    refused: { envoy_internal_address: "internal listeners are not built" },
  },
  "envoy.config.core.v3.SocketAddress": {
    honoured: ["protocol", "address", "port_value", "ipv4_compat"],
    refused: {
      named_port: "ports are numbers here",
      resolver_name: "custom address resolvers are not built",
      network_namespace_filepath: "other network namespaces are not built",
    },
  },
  "envoy.config.core.v3.Pipe": "whole",
  "envoy.config.core.v3.CidrRange": "whole",
  "envoy.config.core.v3.Locality": "whole",
  "envoy.config.core.v3.Metadata": "whole",
  "envoy.config.core.v3.HeaderValue": {
    honoured: ["key", "value"],
    refused: { raw_value: "header values are text here" },
  },
  "envoy.config.core.v3.HeaderValueOption": {
    honoured: ["header", "append", "append_action"],
    warned: { keep_empty_value: "an empty value is left out" },
  },
  // Where only inline ones are built, the decoder refuses the others.
  "envoy.config.core.v3.DataSource": "whole",
  "envoy.config.core.v3.SocketOption.SocketType": "whole",
  "envoy.config.core.v3.SocketOptionsOverride": "whole",
  "envoy.config.core.v3.TcpKeepalive": "whole",
  "envoy.config.core.v3.SocketOption": {
    honoured: ["description", "level", "name", "int_value", "buf_value", "state", "type"],
  },
  "envoy.config.core.v3.RuntimeFractionalPercent": "whole",
  "envoy.config.core.v3.RuntimeUInt32": "whole",
  "envoy.type.v3.FractionalPercent": "whole",
  "envoy.type.v3.Percent": "whole",
  "envoy.type.v3.Int64Range": "whole",
  "envoy.config.core.v3.ConfigSource": {
    honoured: [
      "path",
      "path_config_source",
      "api_config_source",
      "ads",
      "self",
      "initial_fetch_timeout",
      "resource_api_version",
      "authorities",
    ],
  },
  "xds.core.v3.Authority": "whole",
  "envoy.config.core.v3.ExtensionConfigSource": {
    honoured: [
      "config_source",
      "default_config",
      "apply_default_config_without_warming",
      "type_urls",
    ],
  },
  "envoy.config.core.v3.TypedExtensionConfig": "whole",
  "envoy.config.core.v3.PathConfigSource": "whole",
  "envoy.config.core.v3.WatchedDirectory": "whole",
  "envoy.config.core.v3.AggregatedConfigSource": "whole",
  "envoy.config.core.v3.SelfConfigSource": "whole",
  "envoy.config.core.v3.ApiConfigSource": {
    honoured: [
      "api_type",
      "transport_api_version",
      "cluster_names",
      "grpc_services",
      "refresh_delay",
      "request_timeout",
      "rate_limit_settings",
      "set_node_on_first_message_only",
    ],
    refused: { config_validators: "config validators are not built" },
  },
  "envoy.config.core.v3.RateLimitSettings": "whole",
  "envoy.config.core.v3.GrpcService": {
    honoured: ["envoy_grpc", "google_grpc", "timeout", "initial_metadata", "retry_policy"],
  },
  "envoy.config.core.v3.GrpcService.EnvoyGrpc": {
    honoured: ["cluster_name", "authority", "retry_policy"],
    warned: {
      max_receive_message_length: "messages have no limit",
      skip_envoy_headers: "none are sent",
    },
  },
  "envoy.config.core.v3.GrpcService.GoogleGrpc": {
    honoured: ["target_uri", "stat_prefix", "channel_credentials", "call_credentials"],
    refused: {
      credentials_factory_name: "credentials are not built",
    },
    warned: {
      config: "nothing reads it",
      per_stream_buffer_limit_bytes: "one message at a time is buffered",
      channel_args: "the client's own settings are used",
    },
  },
  "envoy.config.core.v3.GrpcService.GoogleGrpc.ChannelCredentials": {
    honoured: ["local_credentials", "ssl_credentials"],
    refused: { google_default: "credentials of Google's are not built" },
  },
  "envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials": {
    honoured: ["root_certs", "private_key", "cert_chain"],
  },
  "envoy.config.core.v3.GrpcService.GoogleGrpc.CallCredentials": {
    honoured: ["access_token"],
    refused: {
      google_compute_engine: callCredentials,
      google_refresh_token: callCredentials,
      service_account_jwt_access: callCredentials,
      google_iam: callCredentials,
      from_plugin: callCredentials,
      sts_service: callCredentials,
    },
  },
  "envoy.config.core.v3.GrpcService.GoogleGrpc.GoogleLocalCredentials": "whole",
  "envoy.config.core.v3.RetryPolicy": {
    honoured: ["retry_back_off"],
    warned: {
      num_retries: "streams are reopened for ever",
      retry_on: "streams are reopened whatever ended them",
      retry_priority: "endpoints are tried in turn",
      retry_host_predicate: "endpoints are tried in turn",
      host_selection_retry_max_attempts: "endpoints are tried in turn",
    },
  },
  "envoy.config.core.v3.BackoffStrategy": "whole",
  "envoy.type.matcher.v3.StringMatcher": {
    honoured: ["exact", "prefix", "suffix", "safe_regex", "contains", "ignore_case"],
    refused: { custom: "custom string matchers are not built" },
    isMatcher: true,
  },
  "envoy.type.matcher.v3.RegexMatcher": { honoured: ["google_re2", "regex"], isMatcher: true },
  "envoy.type.matcher.v3.RegexMatcher.GoogleRE2": {
    honoured: [],
    warned: { max_program_size: "matching costs time linear in its input" },
  },
  "envoy.type.matcher.v3.RegexMatchAndSubstitute": "whole",
  "envoy.config.accesslog.v3.AccessLog": { honoured: ["name", "filter", "typed_config"] },
  "envoy.config.accesslog.v3.AccessLogFilter": {
    honoured: [
      "status_code_filter",
      "duration_filter",
      "not_health_check_filter",
      "and_filter",
      "or_filter",
      "response_flag_filter",
      "grpc_status_filter",
    ],
  },
  "envoy.config.accesslog.v3.StatusCodeFilter": "whole",
  "envoy.config.accesslog.v3.DurationFilter": "whole",
  "envoy.config.accesslog.v3.ComparisonFilter": { honoured: ["op", "value"] },
  "envoy.config.accesslog.v3.AndFilter": { honoured: ["filters"] },
  "envoy.config.accesslog.v3.OrFilter": { honoured: ["filters"] },
  "envoy.config.accesslog.v3.ResponseFlagFilter": "whole",
  "envoy.config.accesslog.v3.GrpcStatusFilter": "whole",
  "envoy.extensions.access_loggers.file.v3.FileAccessLog": {
    honoured: ["path", "format", "json_format", "typed_json_format", "log_format"],
  },
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": { honoured: ["log_format"] },
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": { honoured: ["log_format"] },
  "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig": {
    honoured: [
      "common_config",
      "additional_request_headers_to_log",
      "additional_response_headers_to_log",
      "additional_response_trailers_to_log",
    ],
  },
  "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig": {
    honoured: ["common_config"],
  },
  "envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig": {
    honoured: [
      "log_name",
      "grpc_service",
      "transport_api_version",
      "buffer_flush_interval",
      "buffer_size_bytes",
    ],
    warned: {
      filter_state_objects_to_log: "no filter keeps such objects",
      grpc_stream_retry_policy: "streams are reopened for ever",
      custom_tags: "entries have no tags",
    },
  },
  "envoy.config.core.v3.SubstitutionFormatString": {
    honoured: ["text_format", "json_format", "text_format_source", "omit_empty_values"],
    refused: { formatters: "formatter extensions are not built" },
    warned: {
      content_type: "only local replies have one",
      json_format_options: "keys keep the order they were written in",
    },
  },
};
