/**
 * Which HTTP a cluster speaks, and the limits of its connections: in `typed_extension_protocol_options`,
 * or in the older fields of the cluster itself.
 */
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type {
  Http1ProtocolOptions,
  Http2ProtocolOptions,
  HttpProtocolOptions as CommonOptions,
} from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import type {
  HttpProtocolOptions,
  HttpProtocolOptions_AutoHttpConfig as AutoHttpConfig,
  HttpProtocolOptions_ExplicitHttpConfig as ExplicitHttpConfig,
  HttpProtocolOptions_UseDownstreamHttpConfig as DownstreamHttpConfig,
} from "../../../gen/es/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.d.ts";
import type { ClusterConfig } from "../../shared/config/cluster-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeClientHttp1 } from "./http1-options.ts";
import { decodeHttp2Options } from "./http2-options.ts";
import { judgeHeadSizes } from "./head-sizes.ts";
import { decodeRetryPolicy } from "./route-actions.ts";
import { judgeUpstreamFilters } from "./http-filter-configs.ts";

const optionsTypeName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" as const;

/** Docs: `HttpProtocolOptions.idle_timeout`, "defaults to 1 hour". */
const idleTimeoutMsDefault = 3_600_000;

type ProtocolConfig = Pick<
  ClusterConfig,
  | "protocol"
  | "http1"
  | "http2"
  | "retryPolicy"
  | "maxResponseHeadersKb"
  | "maxResponseHeadersCount"
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "maxStreamDurationMs"
  | "maxRequestsPerConnection"
>;

/** What either place says of HTTP. */
interface Codecs {
  readonly protocol: ClusterConfig["protocol"];
  readonly http1: Http1ProtocolOptions | undefined;
  readonly http2: Http2ProtocolOptions | undefined;
}

export function decodeClusterProtocol(cluster: Cluster, context: DecodeContext): ProtocolConfig {
  const options = decodeOptions(cluster, context);
  if (!options)
    return {
      ...protocolConfig(legacyCodecs(cluster), cluster.commonHttpProtocolOptions, {
        cluster,
        context,
      }),
      retryPolicy: undefined,
    };
  const { headerValidationConfig: validation, retryPolicy } = options;
  if (validation)
    context.refuse(
      `This Envoy binary does not support header validator extensions: '${validation.name}'`,
    );
  judgeUpstreamFilters(options.httpFilters, context);
  judgeAutoSni(options, cluster, context);
  const spoken = codecsOf(options, cluster.transportSocket !== undefined, context);
  return {
    ...protocolConfig(spoken, options.commonHttpProtocolOptions, { cluster, context }),
    retryPolicy: retryPolicy && decodeRetryPolicy(retryPolicy),
  };
}

/** By the number of `Cluster.ClusterProtocolSelection`. */
const useDownstreamProtocol = 1;

function legacyCodecs(cluster: Cluster): Codecs {
  const { httpProtocolOptions: http1, http2ProtocolOptions: http2 } = cluster;
  const isDownstreams = Number(cluster.protocolSelection) === useDownstreamProtocol;
  return { protocol: isDownstreams ? "downstream" : http2 ? "http2" : "http1", http1, http2 };
}

/** In plain text there is no name to send, and none to hold a certificate against. */
function judgeAutoSni(
  { upstreamHttpProtocolOptions: options }: HttpProtocolOptions,
  { transportSocket, transportSocketMatches }: Cluster,
  context: DecodeContext,
): void {
  const mayBeSecured = transportSocket !== undefined || transportSocketMatches.length > 0;
  if (!options || !mayBeSecured) return;
  const field = "envoy.config.core.v3.UpstreamHttpProtocolOptions";
  if (options.autoSanValidation)
    context.refuse(
      `${field}.auto_san_validation is not supported: hosts of other names would be trusted`,
    );
  if (options.autoSni)
    context.refuse(
      `${field}.auto_sni is not supported: hosts would be asked for under another name; set sni or auto_host_sni`,
    );
}

function protocolConfig(
  { protocol, http1, http2 }: Codecs,
  common: CommonOptions | undefined,
  { cluster, context }: { readonly cluster: Cluster; readonly context: DecodeContext },
): Omit<ProtocolConfig, "retryPolicy"> {
  judgeHeadSizes(common?.maxResponseHeadersKb, http2, { part: "response", context });
  return {
    protocol,
    http1: decodeClientHttp1(http1, context),
    http2: decodeHttp2Options(http2, undefined, context),
    maxResponseHeadersKb: common?.maxResponseHeadersKb ?? 60,
    maxResponseHeadersCount: common?.maxHeadersCount ?? 100,
    idleTimeoutMs: durationMsOr(common?.idleTimeout, idleTimeoutMsDefault),
    maxConnectionDurationMs: durationMsOr(common?.maxConnectionDuration, 0),
    maxStreamDurationMs: durationMsOr(common?.maxStreamDuration, 0),
    maxRequestsPerConnection:
      common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0,
  };
}

function decodeOptions(cluster: Cluster, context: DecodeContext): HttpProtocolOptions | undefined {
  let options: HttpProtocolOptions | undefined;
  for (const [name, any] of Object.entries(cluster.typedExtensionProtocolOptions)) {
    const config = context.open(any);
    if (!config) continue;
    if (config.typeName === optionsTypeName)
      options = context.read(config, context.protos.schema<HttpProtocolOptions>(optionsTypeName));
    else
      context.refuse(
        `Didn't find a registered network or http filter or protocol options implementation for name: '${name}'`,
      );
  }
  return options;
}

function codecsOf(
  { upstreamProtocolOptions: choice }: HttpProtocolOptions,
  isSecured: boolean,
  context: DecodeContext,
): Codecs {
  switch (choice.case) {
    case "explicitHttpConfig":
      return explicitCodecs(choice.value);
    case "autoConfig":
      if (!isSecured)
        context.refuse(
          "ALPN configured for cluster which has a non-ALPN transport socket: auto_config needs TLS",
        );
      return codecs("alpn", choice.value);
    case "useDownstreamProtocolConfig":
      return codecs("downstream", choice.value);
    case undefined:
      return { protocol: "http1", http1: undefined, http2: undefined };
    default:
      return choice satisfies never;
  }
}

function explicitCodecs({ protocolConfig: choice }: ExplicitHttpConfig): Codecs {
  if (choice.case === "http2ProtocolOptions")
    return { protocol: "http2", http1: undefined, http2: choice.value };
  const http1 = choice.case === "httpProtocolOptions" ? choice.value : undefined;
  return { protocol: "http1", http1, http2: undefined };
}

function codecs(
  protocol: ClusterConfig["protocol"],
  {
    httpProtocolOptions: http1,
    http2ProtocolOptions: http2,
  }: AutoHttpConfig | DownstreamHttpConfig,
): Codecs {
  return { protocol, http1, http2 };
}
