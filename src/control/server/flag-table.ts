/**
 * Envoy's command line, flag by flag (https://www.envoyproxy.io/docs/envoy/latest/operations/cli), plus
 * ours at the end. A flag stays in the table even where it has no meaning here: a deployment's unit file
 * must go on working, and one line at the start says what was ignored and why.
 */

export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  readonly kind: "string" | "number" | "switch" | "list";
  readonly help: string;
  /** Set where the flag is parsed and has no effect. */
  readonly ignoredBecause?: string;
}

export const flagTable: readonly FlagSpec[] = [
  {
    name: "config-path",
    short: "c",
    kind: "string",
    help: "Path to the bootstrap, YAML or JSON",
  },
  {
    name: "config-yaml",
    kind: "string",
    help: "Inline YAML, merged over the bootstrap of --config-path",
  },
  {
    name: "mode",
    kind: "string",
    help: "serve (default), validate (check the configuration and exit) or init_only (initialize and exit)",
  },
  {
    name: "concurrency",
    kind: "number",
    help: "Worker threads; default: the cores this process may use (affinity and cgroup)",
  },
  {
    name: "base-id",
    kind: "number",
    help: "Hot restart id: processes with the same one are generations of each other (default 0)",
  },
  {
    name: "use-dynamic-base-id",
    kind: "switch",
    help: "Choose a free hot restart id; with --restart-epoch 0 alone",
  },
  {
    name: "base-id-path",
    kind: "string",
    help: "Where to write the hot restart id",
  },
  {
    name: "restart-epoch",
    kind: "number",
    help: "Hot restart epoch: 0 for the first process, then one more each time; naming any hot restart flag turns hot restart on",
  },
  {
    name: "skip-hot-restart-on-no-parent",
    kind: "switch",
    help: "Start like the first generation where no parent answers",
  },
  {
    name: "skip-hot-restart-parent-stats",
    kind: "switch",
    help: "Do not take over the parent's stats",
  },
  { name: "disable-hot-restart", kind: "switch", help: "No hot restart" },
  { name: "hot-restart-version", kind: "switch", help: "Print the hot restart version and exit" },
  {
    name: "socket-path",
    kind: "string",
    help: "Names of the hot restart sockets begin with it; @ for abstract ones (default @envoy_domain_socket)",
  },
  {
    name: "socket-mode",
    kind: "string",
    help: "Permission of hot restart sockets that are files, octal (default 600)",
  },
  {
    name: "parent-shutdown-time-s",
    kind: "number",
    help: "Seconds until a hot restart's parent ends, from its drain on, connections or not (default 900)",
  },
  {
    name: "handover-dir",
    kind: "string",
    help: "Directory by which a new process finds the one that serves and takes over its sockets, without epochs (not in Envoy)",
  },
  {
    name: "handover-drain-s",
    kind: "number",
    help: "Seconds that connections of the process before are drained for after a take-over by --handover-dir (default 30; not in Envoy)",
  },
  {
    name: "keep-connections",
    kind: "switch",
    help: "Idle connections do not move to a process that takes over by --handover-dir: they drain where they are (not in Envoy)",
  },
  { name: "drain-time-s", kind: "number", help: "Seconds that a drain may take (default 600)" },
  {
    name: "drain-strategy",
    kind: "string",
    help: "gradual (default): connections are told spread over the drain time; immediate: all at once",
  },
  {
    name: "shutdown-drain-s",
    kind: "number",
    help: "Seconds that connections are drained for after SIGTERM (default 8); 0: end at once, as Envoy (not in Envoy)",
  },
  {
    name: "admin-address-path",
    kind: "string",
    help: "Where to write the admin's address once it is bound",
  },
  {
    name: "local-address-ip-version",
    kind: "string",
    help: "v4 (default) or v6: the version of the local address",
  },
  {
    name: "log-level",
    short: "l",
    kind: "string",
    help: "trace, debug, info (default), warning, error, critical or off",
  },
  {
    name: "component-log-level",
    kind: "string",
    help: "Levels of single components: upstream:debug,config:trace",
  },
  {
    name: "log-format",
    kind: "string",
    help: "Format of log lines in spdlog's syntax (default [%Y-%m-%d %T.%e][%t][%l][%n] %v)",
  },
  {
    name: "log-format-escaped",
    kind: "switch",
    help: "Escape line ends and other C escapes in log messages",
  },
  { name: "log-path", kind: "string", help: "Log file; default: standard error" },
  {
    name: "enable-fine-grain-logging",
    kind: "switch",
    help: "Levels by source file",
    ignoredBecause: "levels are by component",
  },
  {
    name: "log-stacktrace-single-entry",
    kind: "switch",
    help: "A stack trace is one log entry",
    ignoredBecause: "it always is",
  },
  {
    name: "file-flush-interval-msec",
    kind: "number",
    help: "Milliseconds until access logs are flushed (default 10000)",
  },
  {
    name: "file-flush-min-size-kb",
    kind: "number",
    help: "KiB of access log that are flushed at once (default 64)",
  },
  { name: "service-cluster", kind: "string", help: "node.cluster" },
  { name: "service-node", kind: "string", help: "node.id" },
  { name: "service-zone", kind: "string", help: "node.locality.zone" },
  {
    name: "allow-unknown-fields",
    kind: "switch",
    help: "Same as --allow-unknown-static-fields (deprecated)",
  },
  {
    name: "allow-unknown-static-fields",
    kind: "switch",
    help: "Unknown fields of the bootstrap are no error",
  },
  {
    name: "reject-unknown-dynamic-fields",
    kind: "switch",
    help: "Unknown fields in xDS resources are an error",
    ignoredBecause: "not built: they are warned of",
  },
  {
    name: "ignore-unknown-dynamic-fields",
    kind: "switch",
    help: "Unknown fields in xDS resources are not even counted",
    ignoredBecause: "not built: they are warned of",
  },
  {
    name: "skip-deprecated-logs",
    kind: "switch",
    help: "Do not warn of deprecated fields",
    ignoredBecause: "deprecated fields are not logged",
  },
  {
    name: "disable-extensions",
    kind: "string",
    help: "Extensions to leave out",
    ignoredBecause: "extensions are used only where the configuration names them",
  },
  {
    name: "enable-mutex-tracing",
    kind: "switch",
    help: "Trace lock contention",
    ignoredBecause: "there are no locks",
  },
  {
    name: "cpuset-threads",
    kind: "switch",
    help: "Default --concurrency from the cpuset",
    ignoredBecause: "the default follows the cpuset already",
  },
  {
    name: "enable-core-dump",
    kind: "switch",
    help: "Allow core dumps",
    ignoredBecause: "use ulimit -c",
  },
  {
    name: "stats-tag",
    kind: "list",
    help: "tag:value, a tag of every stat",
    ignoredBecause: "universal tags are not built",
  },
  {
    name: "http-filter",
    kind: "list",
    help: "A file that exports an HTTP filter, which configurations may then name (repeatable; not in Envoy)",
  },
  {
    name: "admin-allowed-host",
    kind: "list",
    help: "A Host header that the admin answers besides its own address (repeatable; not in Envoy)",
  },
  {
    name: "admin-grpc-address",
    kind: "string",
    help: "host:port or unix:path of the gRPC services: client status (CSDS) and drains; default: none (not in Envoy)",
  },
  { name: "version", kind: "switch", help: "Print the version and exit" },
  { name: "help", short: "h", kind: "switch", help: "Print this and exit" },
];
