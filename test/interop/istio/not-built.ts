/**
 * What istiod asks for that is not built yet. The test of the recordings wants exactly these refused, each
 * by name, and docs/COMPATIBILITY.md shows which phase waits for which; what gets built leaves both.
 */
export const notBuilt: ReadonlySet<string> = new Set([
  "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
  "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
  "envoy.extensions.filters.http.cors.v3.Cors",
  "envoy.extensions.filters.http.cors.v3.CorsPolicy",
  "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
  "envoy.extensions.filters.http.fault.v3.HTTPFault",
  "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
  "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
  "envoy.extensions.filters.http.lua.v3.Lua",
  "envoy.extensions.filters.http.rbac.v3.RBAC",
  "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
  "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy",
  "envoy.extensions.filters.network.rbac.v3.RBAC",
  "LOGICAL_DNS",
  "RING_HASH",
  "request_mirror_policies",
]);

/** What Envoy's own build lacks: Istio's filters live in Istio's build of it. */
export const notInEnvoy: ReadonlySet<string> = new Set([
  "envoy.tcp.metadataexchange.config.MetadataExchange",
  "io.istio.http.peer_metadata.Config",
  "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
  "stats.PluginConfig",
]);
