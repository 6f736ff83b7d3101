/** The bootstrap. */
import type { FieldTables } from "./field-table.ts";

export const bootstrapFields: FieldTables = {
  "envoy.config.bootstrap.v3.Bootstrap": {
    honoured: [
      "node",
      "static_resources",
      "dynamic_resources",
      "cluster_manager",
      "stats_flush_interval",
      "layered_runtime",
      "admin",
      "enable_dispatcher_stats",
      "overload_manager",
      "watchdog",
      "watchdogs",
      "header_prefix",
      "node_context_params",
      "config_sources",
      "default_config_source",
    ],
    refused: {
      listener_manager: "there is one listener manager",
      default_socket_interface: "there is one kind of socket",
      xds_delegate_extension: "xDS delegates are not built",
      fatal_actions: "a crash is logged and ends the process",
    },
    warned: {
      hds_config: "health discovery is not built",
      flags_path: "flags come from the command line",
      stats_sinks: "stats are pulled from the admin interface",
      stats_config: "stats have their default names and tags",
      stats_flush_on_admin: "stats are pulled from the admin interface",
      deferred_stat_options: "stats are made when they are needed",
      stats_eviction_interval: "stats live as long as their owner",
      tracing: "nothing is traced",
      stats_server_version_override: "the version is our own",
      use_tcp_for_dns_lookups: "the system's resolver decides",
      dns_resolution_config: "the system's resolver is used",
      typed_dns_resolver_config: "the system's resolver is used",
      bootstrap_extensions: "no such extension is built",
      certificate_provider_instances: "TLS is not built",
      inline_headers: "any header may be used",
      perf_tracing_file_path: "no such trace is written",
      default_regex_engine: "expressions are RE2's, in time linear in the input",
      xds_config_tracker_extension: "see /config_dump",
      application_log_config: "the format comes from the command line",
      grpc_async_client_manager_config: "there is one stream",
      memory_allocator_manager: "memory is the runtime's",
      enable_worker_cpu_affinity: "the system schedules the threads",
    },
  },
  "envoy.config.bootstrap.v3.Bootstrap.StaticResources": {
    honoured: ["listeners", "clusters", "secrets"],
  },
  "envoy.config.bootstrap.v3.Bootstrap.DynamicResources": {
    honoured: [
      "lds_config",
      "cds_config",
      "ads_config",
      "lds_resources_locator",
      "cds_resources_locator",
    ],
  },
  "envoy.config.bootstrap.v3.ClusterManager": {
    honoured: ["local_cluster_name", "load_stats_config"],
    refused: { upstream_bind_config: "connections would come from another address" },
    warned: {
      outlier_detection: "no host is ejected",
      enable_deferred_cluster_creation: "clusters are cheap",
    },
  },
  "envoy.config.bootstrap.v3.Watchdogs": {
    honoured: ["main_thread_watchdog", "worker_watchdog"],
  },
  "envoy.config.bootstrap.v3.Watchdog": {
    honoured: [
      "miss_timeout",
      "megamiss_timeout",
      "kill_timeout",
      "max_kill_timeout_jitter",
      "multikill_timeout",
      "multikill_threshold",
    ],
    warned: { actions: "a thread that is stuck is logged, counted and ends the process" },
  },
  "envoy.config.overload.v3.OverloadManager": {
    honoured: ["refresh_interval", "resource_monitors", "actions", "loadshed_points"],
    warned: { buffer_factory_config: "streams are not reset by the memory they take" },
  },
  "envoy.config.overload.v3.ResourceMonitor": "whole",
  "envoy.config.overload.v3.OverloadAction": {
    honoured: ["name", "triggers"],
    warned: { typed_config: "no action that is built has one" },
  },
  "envoy.config.overload.v3.LoadShedPoint": "whole",
  "envoy.config.overload.v3.Trigger": "whole",
  "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig": {
    honoured: ["max_heap_size_bytes"],
  },
  "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig": {
    honoured: ["filename"],
  },
  "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig": {
    honoured: ["max_active_downstream_connections"],
  },
  "envoy.config.bootstrap.v3.Admin": {
    honoured: [
      "address",
      "access_log",
      "access_log_path",
      "allow_paths",
      "profile_path",
      "ignore_global_conn_limit",
    ],
    warned: { socket_options: "the admin's socket has the system's defaults" },
  },
  "envoy.config.bootstrap.v3.LayeredRuntime": { honoured: ["layers"] },
  "envoy.config.bootstrap.v3.RuntimeLayer": {
    honoured: ["name", "static_layer", "admin_layer", "disk_layer", "rtds_layer"],
  },
  "envoy.config.bootstrap.v3.RuntimeLayer.DiskLayer": "whole",
  "envoy.config.bootstrap.v3.RuntimeLayer.RtdsLayer": { honoured: ["name", "rtds_config"] },
  "envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer": "whole",
  "envoy.service.runtime.v3.Runtime": "whole",
  "envoy.config.core.v3.Node": "whole",
};
