/** Listeners, filter chains and the TCP proxy. */
import type { FieldTables } from "./field-table.ts";

const inAnotherPlace = "another filter chain or listener would serve the connection";

export const listenerFields: FieldTables = {
  "envoy.config.listener.v3.Listener": {
    honoured: [
      "name",
      "address",
      "additional_addresses",
      "stat_prefix",
      "filter_chains",
      "default_filter_chain",
      "per_connection_buffer_limit_bytes",
      "metadata",
      "drain_type",
      "listener_filters",
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
      "bind_to_port",
      "ignore_global_conn_limit",
      "bypass_overload_manager",
      "tcp_keepalive",
    ],
    refused: {
      filter_chain_matcher: inAnotherPlace,
      udp_listener_config: "UDP listeners are not built",
      api_listener: "API listeners are not built",
      internal_listener: "internal listeners are not built",
      deprecated_v1: "use bind_to_port",
      use_original_dst: inAnotherPlace,
    },
    warned: {
      reuse_port: "deprecated: use enable_reuse_port",
      tcp_fast_open_queue_length: "TCP fast open stays off",
      connection_balance_config: "connections go to the worker with the fewest, always",
      enable_mptcp: "plain TCP sockets are opened",
      per_connection_buffer_high_watermark_timeout: "a full buffer waits as long as the connection",
    },
  },
  "envoy.config.listener.v3.AdditionalAddress": {
    honoured: ["address", "socket_options", "tcp_keepalive"],
  },
  "envoy.config.listener.v3.ListenerFilter": {
    honoured: ["name", "typed_config"],
    refused: {
      config_discovery: "extension discovery is not built",
      filter_disabled: "it decides which connections the filter sees",
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
