/** Route configurations: much here decides where a request goes, so much is refused. */
import type { FieldTables } from "./field-table.ts";

const otherRequests = "other requests would match";
const otherPlace = "requests would go to another place";
const mirrored = "requests would not be mirrored";
const limited = "requests would pass that a limit should stop";
const rewritten = "requests would go out in another form";

const headerMutations = [
  "request_headers_to_add",
  "request_headers_to_remove",
  "response_headers_to_add",
  "response_headers_to_remove",
];

export const routeFields: FieldTables = {
  "envoy.config.route.v3.RouteConfiguration": {
    honoured: [
      "name",
      "virtual_hosts",
      ...headerMutations,
      "validate_clusters",
      "max_direct_response_body_size_bytes",
      "ignore_port_in_host_matching",
      "vhds",
      "typed_per_filter_config",
      "metadata",
    ],
    refused: {
      vhost_header: otherRequests,
      cluster_specifier_plugins: otherPlace,
      request_mirror_policies: mirrored,
      ignore_path_parameters_in_path_matching: otherRequests,
      internal_only_headers: "headers from outside would pass",
    },
    warned: {
      most_specific_header_mutations_wins: "the route configuration's mutations come last",
    },
    isMatcher: true,
  },
  "envoy.config.route.v3.Vhds": { honoured: ["config_source"] },
  "envoy.config.route.v3.ScopedRouteConfiguration": {
    honoured: ["on_demand", "name", "route_configuration_name", "route_configuration", "key"],
    isMatcher: true,
  },
  "envoy.config.route.v3.ScopedRouteConfiguration.Key": {
    honoured: ["fragments"],
    isMatcher: true,
  },
  "envoy.config.route.v3.ScopedRouteConfiguration.Key.Fragment": {
    honoured: ["string_key"],
    isMatcher: true,
  },
  "envoy.config.route.v3.VirtualHost": {
    honoured: [
      "name",
      "domains",
      "routes",
      "require_tls",
      ...headerMutations,
      "retry_policy",
      "typed_per_filter_config",
      "metadata",
    ],
    refused: {
      matcher: otherRequests,
      rate_limits: limited,
      request_mirror_policies: mirrored,
    },
    warned: {
      virtual_clusters: "no such stats",
      cors: "use the cors filter",
      include_request_attempt_count: "no x-envoy-attempt-count header is written",
      include_attempt_count_in_response: "no x-envoy-attempt-count header is written",
      include_is_timeout_retry_header: "no x-envoy-is-timeout-retry header is written",
      per_request_buffer_limit_bytes: "the connection's buffer limit holds",
      request_body_buffer_limit: "the connection's buffer limit holds",
      retry_policy_typed_config: "retry policies of extensions are not built",
      hedge_policy: "requests are not hedged",
    },
    isMatcher: true,
  },
  "envoy.config.route.v3.Route": {
    honoured: [
      "name",
      "match",
      "route",
      "redirect",
      "direct_response",
      "metadata",
      "typed_per_filter_config",
      ...headerMutations,
    ],
    refused: {
      filter_action: otherPlace,
      non_forwarding_action: "it is for gRPC servers",
    },
    warned: {
      decorator: "nothing is traced",
      tracing: "nothing is traced",
      per_request_buffer_limit_bytes: "the connection's buffer limit holds",
      request_body_buffer_limit: "the connection's buffer limit holds",
      stat_prefix: "no stats of single routes",
    },
    isMatcher: true,
  },
  "envoy.config.route.v3.RouteMatch": {
    honoured: [
      "prefix",
      "path",
      "safe_regex",
      "path_separated_prefix",
      "case_sensitive",
      "runtime_fraction",
      "headers",
      "query_parameters",
      "grpc",
      "connect_matcher",
    ],
    refused: {
      path_match_policy: otherRequests,
      tls_context: otherRequests,
      dynamic_metadata: otherRequests,
    },
    isMatcher: true,
  },
  "envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions": "whole",
  "envoy.config.route.v3.HeaderMatcher": {
    honoured: [
      "name",
      "exact_match",
      "safe_regex_match",
      "range_match",
      "present_match",
      "prefix_match",
      "suffix_match",
      "contains_match",
      "string_match",
      "invert_match",
      "treat_missing_header_as_empty",
    ],
    isMatcher: true,
  },
  "envoy.config.route.v3.QueryParameterMatcher": {
    honoured: ["name", "string_match", "present_match"],
    isMatcher: true,
  },
  "envoy.config.route.v3.RouteAction": {
    honoured: [
      "cluster",
      "upgrade_configs",
      "cluster_header",
      "weighted_clusters",
      "cluster_not_found_response_code",
      "prefix_rewrite",
      "regex_rewrite",
      "host_rewrite_literal",
      "auto_host_rewrite",
      "append_x_forwarded_host",
      "timeout",
      "idle_timeout",
      "retry_policy",
      "priority",
      "internal_redirect_policy",
      "internal_redirect_action",
      "max_internal_redirects",
    ],
    refused: {
      cluster_specifier_plugin: otherPlace,
      inline_cluster_specifier_plugin: otherPlace,
      metadata_match: "bytes would go to other hosts",
      path_rewrite_policy: rewritten,
      host_rewrite_header: rewritten,
      host_rewrite_path_regex: rewritten,
      request_mirror_policies: mirrored,
      rate_limits: limited,
    },
    warned: {
      early_data_policy: "there is no early data without TLS",
      retry_policy_typed_config: "retry policies of extensions are not built",
      include_vh_rate_limits: "there are no rate limits",
      hash_policy: "no load balancer that hashes is built",
      cors: "use the cors filter",
      hedge_policy: "requests are not hedged",
      flush_timeout: "the idle timeout holds",
    },
    isMatcher: true,
  },
  "envoy.config.route.v3.RouteAction.UpgradeConfig": {
    honoured: ["upgrade_type", "enabled", "connect_config"],
  },
  "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig": {
    honoured: ["allow_post", "proxy_protocol_config"],
  },
  "envoy.config.core.v3.ProxyProtocolConfig": {
    honoured: ["version"],
    warned: { pass_through_tlvs: "Envoy passes none on through a tunnel either" },
  },
  "envoy.config.route.v3.InternalRedirectPolicy": "whole",
  "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig": "whole",
  "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig": "whole",
  "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig": "whole",
  "envoy.config.route.v3.RouteMatch.ConnectMatcher": "whole",
  "envoy.config.route.v3.WeightedCluster": {
    honoured: ["clusters", "total_weight"],
    refused: { header_name: otherPlace },
    warned: { runtime_key_prefix: "the weights are used as they stand" },
  },
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": {
    honoured: ["name", "weight", "typed_per_filter_config"],
    refused: {
      cluster_header: otherPlace,
      metadata_match: "bytes would go to other hosts",
      host_rewrite_literal: rewritten,
      request_headers_to_add: rewritten,
      request_headers_to_remove: rewritten,
    },
    warned: {
      response_headers_to_add: "only routes, virtual hosts and the configuration change headers",
      response_headers_to_remove: "only routes, virtual hosts and the configuration change headers",
    },
  },
  "envoy.config.route.v3.RetryPolicy": {
    honoured: [
      "retry_on",
      "num_retries",
      "per_try_timeout",
      "per_try_idle_timeout",
      "retriable_status_codes",
    ],
    warned: {
      retry_priority: "any priority is tried again",
      retry_host_predicate: "any host is tried again",
      retry_options_predicates: "every try is like the first",
      host_selection_retry_max_attempts: "any host is tried again",
      retry_back_off: "back-off starts at 25 ms",
      rate_limited_retry_back_off: "back-off does not heed the upstream",
      retriable_headers: "headers of responses do not cause retries",
      retriable_request_headers: "any request may be tried again",
      refresh_cluster_on_retry: "the cluster is chosen once",
    },
  },
  "envoy.config.route.v3.RedirectAction": {
    honoured: [
      "https_redirect",
      "scheme_redirect",
      "host_redirect",
      "port_redirect",
      "path_redirect",
      "prefix_rewrite",
      "regex_rewrite",
      "response_code",
      "strip_query",
    ],
  },
  "envoy.config.route.v3.DirectResponseAction": {
    honoured: ["status", "body"],
    warned: { body_format: "the body is sent as it stands" },
  },
};
