/**
 * Every extension that is built, in one table. An extension is known by the type of its configuration,
 * never by its name, as in Envoy; what is not here is refused, with the list of what is.
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { TypedConfig } from "../proto/any.ts";
import type { DecodeContext } from "./decode-context.ts";

export type ExtensionCategory =
  | "access log filter"
  | "access logger"
  | "certificate validator"
  | "header formatter"
  | "HTTP filter"
  | "injected credential"
  | "internal redirect predicate"
  | "custom matcher"
  | "filter chain action"
  | "input matcher"
  | "listener filter"
  | "load balancing policy"
  | "matching input"
  | "network filter"
  | "per-route configuration"
  | "request ID extension"
  | "resource monitor"
  | "transport socket"
  | "upstream transport socket"
  | "upstream HTTP filter"
  | "upstream network filter";

export interface Extension {
  readonly category: ExtensionCategory;
  /** Envoy's canonical name. */
  readonly name: string;
  /** Full name of the type of its configuration. */
  readonly typeName: string;
  /** What the decoders of the category switch on; `noop`: accepted without effect, for the reason. */
  readonly kind: ExtensionKind;
  readonly reason?: string;
}

export type ExtensionKind =
  | "allowListedRoutes"
  | "applicationProtocolInput"
  | "chainName"
  | "credentialInjector"
  | "destinationIpInput"
  | "destinationPortInput"
  | "directSourceIpInput"
  | "downstreamConnections"
  | "fileAccessLog"
  | "fixedHeap"
  | "genericCredential"
  | "grpcHttp1Bridge"
  | "grpcStats"
  | "grpcWeb"
  | "headerMutation"
  | "httpConnectionManager"
  | "httpGrpcAccessLog"
  | "httpInspector"
  | "injectedResource"
  | "ip"
  | "ipRanges"
  | "leastRequest"
  | "localRateLimit"
  | "noop"
  | "onDemand"
  | "originalDestination"
  | "originalSource"
  | "preserveCase"
  | "previousRoutes"
  | "proxyProtocol"
  | "random"
  | "rawBuffer"
  | "roundRobin"
  | "router"
  | "safeCrossScheme"
  | "serverNameInput"
  | "serverNames"
  | "sourceIpInput"
  | "sourcePortInput"
  | "sourceTypeInput"
  | "spiffe"
  | "stderrAccessLog"
  | "stdoutAccessLog"
  | "tcpGrpcAccessLog"
  | "tcpProxy"
  | "tls"
  | "tlsInspector"
  | "transportProtocolInput"
  | "upstreamCodec"
  | "uuid";

const istioStats = "Istio's telemetry is not built; Envoy's own stats are kept";
const metadataExchange = "peers do not exchange Istio metadata; only Istio's telemetry reads it";
const alpn = "upstreams are offered the protocols that their cluster names, and http/1.1";

const extensions: readonly Extension[] = [
  {
    category: "access logger",
    name: "envoy.access_loggers.file",
    typeName: "envoy.extensions.access_loggers.file.v3.FileAccessLog",
    kind: "fileAccessLog",
  },
  {
    category: "access logger",
    name: "envoy.access_loggers.stdout",
    typeName: "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    kind: "stdoutAccessLog",
  },
  {
    category: "access logger",
    name: "envoy.access_loggers.stderr",
    typeName: "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
    kind: "stderrAccessLog",
  },
  {
    category: "access logger",
    name: "envoy.access_loggers.http_grpc",
    typeName: "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
    kind: "httpGrpcAccessLog",
  },
  {
    category: "access logger",
    name: "envoy.access_loggers.tcp_grpc",
    typeName: "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig",
    kind: "tcpGrpcAccessLog",
  },
  {
    category: "resource monitor",
    name: "envoy.resource_monitors.fixed_heap",
    typeName: "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
    kind: "fixedHeap",
  },
  {
    category: "resource monitor",
    name: "envoy.resource_monitors.injected_resource",
    typeName: "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig",
    kind: "injectedResource",
  },
  {
    category: "resource monitor",
    name: "envoy.resource_monitors.global_downstream_max_connections",
    typeName:
      "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
    kind: "downstreamConnections",
  },
  {
    category: "transport socket",
    name: "envoy.transport_sockets.raw_buffer",
    typeName: "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
    kind: "rawBuffer",
  },
  {
    category: "transport socket",
    name: "envoy.transport_sockets.tls",
    typeName: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    kind: "tls",
  },
  {
    category: "upstream transport socket",
    name: "envoy.transport_sockets.raw_buffer",
    typeName: "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
    kind: "rawBuffer",
  },
  {
    category: "upstream transport socket",
    name: "envoy.transport_sockets.tls",
    typeName: "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    kind: "tls",
  },
  {
    category: "certificate validator",
    name: "envoy.tls.cert_validator.spiffe",
    typeName: "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
    kind: "spiffe",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.original_src",
    typeName: "envoy.extensions.filters.listener.original_src.v3.OriginalSrc",
    kind: "originalSource",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.local_ratelimit",
    typeName: "envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit",
    kind: "localRateLimit",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.tls_inspector",
    typeName: "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    kind: "tlsInspector",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.http_inspector",
    typeName: "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
    kind: "httpInspector",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.original_dst",
    typeName: "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    kind: "originalDestination",
  },
  {
    category: "listener filter",
    name: "envoy.filters.listener.proxy_protocol",
    typeName: "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
    kind: "proxyProtocol",
  },
  {
    category: "network filter",
    name: "envoy.filters.network.tcp_proxy",
    typeName: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    kind: "tcpProxy",
  },
  {
    category: "network filter",
    name: "envoy.filters.network.http_connection_manager",
    typeName: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    kind: "httpConnectionManager",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.router",
    typeName: "envoy.extensions.filters.http.router.v3.Router",
    kind: "router",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.on_demand",
    typeName: "envoy.extensions.filters.http.on_demand.v3.OnDemand",
    kind: "onDemand",
  },
  {
    category: "per-route configuration",
    name: "envoy.filters.http.on_demand",
    typeName: "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig",
    kind: "onDemand",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.credential_injector",
    typeName: "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
    kind: "credentialInjector",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.header_mutation",
    typeName: "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    kind: "headerMutation",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.grpc_stats",
    typeName: "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    kind: "grpcStats",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.grpc_http1_bridge",
    typeName: "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config",
    kind: "grpcHttp1Bridge",
  },
  {
    category: "HTTP filter",
    name: "envoy.filters.http.grpc_web",
    typeName: "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
    kind: "grpcWeb",
  },
  {
    category: "injected credential",
    name: "envoy.http.injected_credentials.generic",
    typeName: "envoy.extensions.http.injected_credentials.generic.v3.Generic",
    kind: "genericCredential",
  },
  {
    category: "internal redirect predicate",
    name: "envoy.internal_redirect_predicates.previous_routes",
    typeName: "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig",
    kind: "previousRoutes",
  },
  {
    category: "internal redirect predicate",
    name: "envoy.internal_redirect_predicates.allow_listed_routes",
    typeName: "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig",
    kind: "allowListedRoutes",
  },
  {
    category: "internal redirect predicate",
    name: "envoy.internal_redirect_predicates.safe_cross_scheme",
    typeName: "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig",
    kind: "safeCrossScheme",
  },
  {
    category: "header formatter",
    name: "envoy.http.stateful_header_formatters.preserve_case",
    typeName:
      "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
    kind: "preserveCase",
  },
  {
    category: "upstream HTTP filter",
    name: "envoy.filters.http.upstream_codec",
    typeName: "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
    kind: "upstreamCodec",
  },
  {
    category: "request ID extension",
    name: "envoy.request_id.uuid",
    typeName: "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
    kind: "uuid",
  },
  {
    category: "load balancing policy",
    name: "envoy.load_balancing_policies.round_robin",
    typeName: "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
    kind: "roundRobin",
  },
  {
    category: "load balancing policy",
    name: "envoy.load_balancing_policies.least_request",
    typeName: "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
    kind: "leastRequest",
  },
  {
    category: "load balancing policy",
    name: "envoy.load_balancing_policies.random",
    typeName: "envoy.extensions.load_balancing_policies.random.v3.Random",
    kind: "random",
  },
  ...networkInputs(),
  {
    category: "input matcher",
    name: "envoy.matching.matchers.ip",
    typeName: "envoy.extensions.matching.input_matchers.ip.v3.Ip",
    kind: "ip",
  },
  {
    category: "custom matcher",
    name: "envoy.matching.custom_matchers.ip_range_matcher",
    typeName: "xds.type.matcher.v3.IPMatcher",
    kind: "ipRanges",
  },
  {
    category: "custom matcher",
    name: "envoy.matching.custom_matchers.domain_matcher",
    typeName: "xds.type.matcher.v3.ServerNameMatcher",
    kind: "serverNames",
  },
  {
    category: "filter chain action",
    name: "filter-chain-name",
    typeName: "google.protobuf.StringValue",
    kind: "chainName",
  },
  ...noops("istio.stats", "stats.PluginConfig", istioStats, ["network filter", "HTTP filter"]),
  ...noops("istio.alpn", "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig", alpn, [
    "HTTP filter",
  ]),
  ...noops("istio.peer_metadata", "io.istio.http.peer_metadata.Config", metadataExchange, [
    "HTTP filter",
    "upstream HTTP filter",
  ]),
  ...noops(
    "istio.metadata_exchange",
    "envoy.tcp.metadataexchange.config.MetadataExchange",
    metadataExchange,
    ["network filter", "upstream network filter"],
  ),
];

function noops(
  name: string,
  typeName: string,
  reason: string,
  categories: readonly ExtensionCategory[],
): readonly Extension[] {
  return categories.map((category) => ({ category, name, typeName, kind: "noop", reason }));
}

function networkInputs(): readonly Extension[] {
  const inputs: readonly (readonly [string, string, ExtensionKind])[] = [
    ["destination_ip", "DestinationIPInput", "destinationIpInput"],
    ["destination_port", "DestinationPortInput", "destinationPortInput"],
    ["source_ip", "SourceIPInput", "sourceIpInput"],
    ["source_port", "SourcePortInput", "sourcePortInput"],
    ["direct_source_ip", "DirectSourceIPInput", "directSourceIpInput"],
    ["source_type", "SourceTypeInput", "sourceTypeInput"],
    ["server_name", "ServerNameInput", "serverNameInput"],
    ["transport_protocol", "TransportProtocolInput", "transportProtocolInput"],
    ["application_protocol", "ApplicationProtocolInput", "applicationProtocolInput"],
  ];
  return inputs.map(([name, type, kind]) => ({
    category: "matching input",
    name: `envoy.matching.inputs.${name}`,
    typeName: `envoy.extensions.matching.common_inputs.network.v3.${type}`,
    kind,
  }));
}

export interface FoundExtension {
  readonly extension: Extension;
  readonly config: TypedConfig;
}

/** What a configuration says of an extension: the name is for people, the Any decides. */
export interface ExtensionRequest {
  readonly name: string;
  readonly any: Any | undefined;
}

/** The extension of a category, its content still unread; undefined, and refused, if it is not built. */
export function findExtension(
  category: ExtensionCategory,
  { name, any }: ExtensionRequest,
  context: DecodeContext,
): FoundExtension | undefined {
  const config = context.open(any);
  if (!config) return undefined;
  const extension = lookUp(category, config.typeName);
  if (!extension) {
    const built = extensions.filter((one) => one.category === category).map((one) => one.name);
    const known = built.length === 0 ? "none is built" : `built are ${built.join(", ")}`;
    context.refuse(
      `Didn't find a registered implementation for '${name}' with type URL: '${config.typeName}' (${category}: ${known})`,
    );
    return undefined;
  }
  if (extension.kind === "noop") context.warn(config.typeName, extension.reason ?? "has no effect");
  return { extension, config };
}

/** For types that are named before anything of them comes. */
export function isBuilt(category: ExtensionCategory, typeName: string): boolean {
  return lookUp(category, typeName) !== undefined;
}

/** As `findExtension`, without a word about one that is not built: for optional ones. */
export function hasExtension(
  category: ExtensionCategory,
  { any }: ExtensionRequest,
  context: DecodeContext,
): boolean {
  const config = context.open(any);
  return config !== undefined && lookUp(category, config.typeName) !== undefined;
}

/** A type may serve in several categories: Istio's stats are a network filter and an HTTP filter. */
function lookUp(category: ExtensionCategory, typeName: string): Extension | undefined {
  return extensions.find((one) => one.category === category && one.typeName === typeName);
}
