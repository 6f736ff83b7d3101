/** Listeners, filter chains and the TCP proxy. */
import type { FieldTables } from "./field-table.ts";

export const listenerFields: FieldTables = {
  "envoy.config.listener.v3.Listener": {
    honoured: [
      "name",
      "address",
      "additional_addresses",
      "stat_prefix",
      "filter_chains",
      "default_filter_chain",
      "filter_chain_matcher",
      "per_connection_buffer_limit_bytes",
      "metadata",
      "drain_type",
      "listener_filters",
      "use_original_dst",
      "listener_filters_timeout",
      "continue_on_listener_filters_timeout",
      "transparent",
      "freebind",
      "socket_options",
      "traffic_direction",
      "enable_reuse_port",
      "access_log",
      "tcp_backlog_size",
      "max_connections_to_accept_per_socket_event",
      "tcp_fast_open_queue_length",
      "connection_balance_config",
      "bind_to_port",
      "ignore_global_conn_limit",
      "bypass_overload_manager",
      "tcp_keepalive",
    ],
    refused: {
      udp_listener_config: "UDP listeners are not built",
      api_listener: "API listeners are not built",
      internal_listener: "internal listeners are not built",
      deprecated_v1: "use bind_to_port",
    },
    warned: {
      reuse_port: "deprecated: use enable_reuse_port",
      enable_mptcp: "plain TCP sockets are opened",
      per_connection_buffer_high_watermark_timeout: "a full buffer waits as long as the connection",
    },
  },
  "envoy.config.listener.v3.Listener.ConnectionBalanceConfig": {
    // What is done anyway: connections go to the worker with the fewest.
    honoured: ["exact_balance"],
    refused: { extend_balance: "connections go to the worker with the fewest, always" },
  },
  "envoy.config.listener.v3.Listener.ConnectionBalanceConfig.ExactBalance": "whole",
  "envoy.config.listener.v3.AdditionalAddress": {
    honoured: ["address", "socket_options", "tcp_keepalive"],
  },
  "envoy.config.listener.v3.ListenerFilter": {
    honoured: ["name", "typed_config", "filter_disabled"],
    refused: { config_discovery: "extension discovery is not built" },
  },
  "envoy.config.listener.v3.ListenerFilterChainMatchPredicate": {
    honoured: ["or_match", "and_match", "not_match", "any_match", "destination_port_range"],
    isMatcher: true,
  },
  "envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet": {
    honoured: ["rules"],
    isMatcher: true,
  },
  "envoy.type.v3.Int32Range": { honoured: ["start", "end"] },
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {
    honoured: [
      "enable_ja3_fingerprinting",
      "enable_ja4_fingerprinting",
      "initial_read_buffer_size",
      "close_connection_on_client_hello_parsing_errors",
      "max_client_hello_size",
    ],
  },
  "envoy.extensions.filters.listener.original_src.v3.OriginalSrc": {
    honoured: ["mark"],
    warned: { bind_port: "any port of the address is taken, as in Envoy" },
  },
  "envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit": {
    honoured: ["stat_prefix", "token_bucket", "runtime_enabled"],
  },
  "envoy.type.v3.TokenBucket": { honoured: ["max_tokens", "tokens_per_fill", "fill_interval"] },
  "envoy.config.core.v3.RuntimeFeatureFlag": "whole",
  "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol": {
    honoured: ["allow_requests_without_proxy_protocol", "disallowed_versions", "stat_prefix"],
    warned: {
      rules: "nothing reads what the header's extensions say",
      pass_through_tlvs: "no PROXY header to a host passes them on",
      tlv_location: "nothing reads what the header's extensions say",
    },
  },
  "envoy.config.listener.v3.FilterChain": {
    honoured: [
      "filter_chain_match",
      "filters",
      "metadata",
      "transport_socket",
      "transport_socket_connect_timeout",
      "name",
    ],
    refused: { use_proxy_proto: "the PROXY protocol is not built" },
    warned: { on_demand_configuration: "every filter chain is built when it arrives" },
  },
  "envoy.config.listener.v3.FilterChainMatch": {
    honoured: [
      "destination_port",
      "prefix_ranges",
      "address_suffix",
      "suffix_len",
      "direct_source_prefix_ranges",
      "source_type",
      "source_prefix_ranges",
      "source_ports",
      "server_names",
      "transport_protocol",
      "application_protocols",
    ],
    isMatcher: true,
  },
  "envoy.config.listener.v3.Filter": {
    honoured: ["name", "typed_config", "config_discovery"],
  },
  "envoy.config.core.v3.TransportSocket": { honoured: ["name", "typed_config"] },
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": "whole",
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {
    honoured: [
      "stat_prefix",
      "cluster",
      "weighted_clusters",
      "idle_timeout",
      "access_log",
      "max_connect_attempts",
      "max_downstream_connection_duration",
      "check_drain_close",
      "on_demand",
    ],
    refused: {
      tunneling_config: "bytes would go without the tunnel",
      metadata_match: "bytes would go to other hosts",
    },
    warned: {
      hash_policy: "no load balancer that hashes is built",
      downstream_idle_timeout: "use idle_timeout",
      upstream_idle_timeout: "use idle_timeout",
      access_log_flush_interval: "a connection is logged when it ends",
      flush_access_log_on_connected: "a connection is logged when it ends",
      access_log_options: "a connection is logged when it ends",
      backoff_options: "attempts to connect follow each other at once",
      max_downstream_connection_duration_jitter_percentage: "the duration is exact",
      max_early_data_bytes: "data is read once the upstream is connected",
    },
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.OnDemand": {
    honoured: ["odcds_config", "resources_locator", "timeout"],
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster": {
    honoured: ["clusters"],
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": {
    honoured: ["name", "weight"],
    refused: { metadata_match: "bytes would go to other hosts" },
  },
};
