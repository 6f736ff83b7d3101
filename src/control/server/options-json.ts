/** The options as `/server_info` prints them: `envoy.admin.v3.CommandLineOptions`, every field, defaults too. */
import type { ServerOptions } from "./options.ts";

export function optionsJson(options: ServerOptions): Readonly<Record<string, unknown>> {
  const { hotRestart } = options;
  const seconds = (ms: number): string => `${ms / 1000}s`;
  return {
    base_id: String(hotRestart && hotRestart.baseId !== "dynamic" ? hotRestart.baseId : 0),
    concurrency: options.concurrency,
    config_path: options.configPath,
    config_yaml: options.configYaml,
    allow_unknown_static_fields: options.allowUnknownStaticFields,
    admin_address_path: options.adminAddressPath,
    local_address_ip_version: options.localAddressIpVersion,
    log_level: options.logLevel,
    component_log_level: options.componentLogLevel,
    log_format: options.logFormat,
    log_path: options.logPath,
    service_cluster: options.serviceCluster,
    service_node: options.serviceNode,
    service_zone: options.serviceZone,
    file_flush_interval: seconds(options.fileFlushIntervalMs),
    drain_time: seconds(options.drainTimeMs),
    parent_shutdown_time: seconds(options.parentShutdownTimeMs),
    mode: { serve: "Serve", validate: "Validate", init_only: "InitOnly" }[options.mode],
    disable_hot_restart: hotRestart === undefined,
    enable_mutex_tracing: false,
    restart_epoch: hotRestart?.epoch ?? 0,
    cpuset_threads: true,
    reject_unknown_dynamic_fields: options.rejectUnknownDynamicFields,
    log_format_escaped: options.logFormatEscaped,
    disabled_extensions: [],
    ignore_unknown_dynamic_fields: options.ignoreUnknownDynamicFields,
    use_dynamic_base_id: hotRestart?.baseId === "dynamic",
    base_id_path: hotRestart?.baseIdPath ?? "",
    drain_strategy: options.drainStrategy === "gradual" ? "Gradual" : "Immediate",
    enable_fine_grain_logging: false,
    socket_path: hotRestart?.socketPath ?? "",
    socket_mode: hotRestart?.socketMode ?? 0,
    enable_core_dump: false,
    stats_tag: [],
    skip_hot_restart_on_no_parent: hotRestart?.skipsOnNoParent ?? false,
    skip_hot_restart_parent_stats: hotRestart?.skipsParentStats ?? false,
    skip_deprecated_logs: true,
    file_flush_min_size: options.fileFlushMinBytes,
    log_stacktrace_single_entry: true,
  };
}
