/**
 * Management servers: `ApiConfigSource` and `GrpcService` of `envoy.config.core.v3`.
 *
 * What one would get wrong: Envoy takes one gRPC service (two behind a runtime guard, the second as
 * failover). Here any number may be named, and they are tried in order.
 */
import type {
  ApiConfigSource as ApiMessage,
  RateLimitSettings,
} from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { RetryPolicy } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { GrpcService as GrpcMessage } from "../../../gen/es/envoy/config/core/v3/grpc_service_pb.d.ts";
import type { BackoffOptions } from "../../shared/common/backoff.ts";
import { durationMs, durationMsOr } from "../proto/duration.ts";
import type {
  ApiConfigSource,
  GrpcApiSource,
  GrpcService,
  RateLimit,
  RestApiSource,
} from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeAccessTokens, decodeChannelTls } from "./google-credentials.ts";

/** `core.v3.ApiVersion.V2`. */
const versionV2 = 1;

/** By the numbers of `ApiConfigSource.ApiType`; 0 is no longer to be used. */
const apiTypes: ReadonlyMap<number, ApiConfigSource["apiType"]> = new Map([
  [1, "rest"],
  [2, "grpc"],
  [3, "deltaGrpc"],
  [5, "aggregatedGrpc"],
  [6, "aggregatedDeltaGrpc"],
]);

/** Docs: `ApiConfigSource.request_timeout`, "default 1s". */
const requestTimeoutMsDefault = 1_000;
/** Docs: `RateLimitSettings`, 100 tokens, filled at 10 a second. */
const rateLimitDefault: RateLimit = { maxTokens: 100, tokensPerSecond: 10 };
/** Docs: `GrpcService.retry_policy`, the greatest interval is ten times the first. */
const maxIntervalFactor = 10;

export function decodeApiConfigSource(
  message: ApiMessage,
  context: DecodeContext,
): ApiConfigSource {
  if (Number(message.transportApiVersion) === versionV2)
    context.refuse("the v2 xDS transport protocol is not supported");
  const apiType = apiTypes.get(Number(message.apiType)) ?? "grpc";
  if (apiType === "rest") return decodeRest(message, context);
  if (!apiTypes.has(Number(message.apiType)))
    context.refuse("ApiConfigSource.api_type must be set to a supported one");
  return decodeGrpc(apiType, message, context);
}

function decodeGrpc(
  apiType: GrpcApiSource["apiType"],
  message: ApiMessage,
  context: DecodeContext,
): GrpcApiSource {
  if (message.grpcServices.length === 0)
    context.refuse("API configs must have either a gRPC service or a cluster name defined");
  if (message.clusterNames.length > 0)
    context.refuse("A gRPC config source must not have cluster_names, use grpc_services");
  const [first] = message.grpcServices;
  return {
    apiType,
    services: message.grpcServices.map((service) => decodeGrpcService(service, context)),
    setNodeOnFirstMessageOnly: message.setNodeOnFirstMessageOnly,
    rateLimit: message.rateLimitSettings && decodeRateLimit(message.rateLimitSettings),
    backoff: first && decodeServiceBackoff(first, context),
  };
}

function decodeRest(message: ApiMessage, context: DecodeContext): RestApiSource {
  const { clusterNames, refreshDelay, requestTimeout } = message;
  const [clusterName = ""] = clusterNames;
  if (clusterNames.length !== 1)
    context.refuse("ApiConfigSource of type REST must have a single cluster name specified");
  if (message.grpcServices.length > 0)
    context.refuse("ApiConfigSource of type REST must not have a gRPC service specified");
  if (!refreshDelay || durationMs(refreshDelay) <= 0)
    context.refuse("refresh_delay is required for REST API configuration sources");
  return {
    apiType: "rest",
    clusterName,
    refreshDelayMs: durationMsOr(refreshDelay, 0),
    requestTimeoutMs: durationMsOr(requestTimeout, requestTimeoutMsDefault),
  };
}

export function decodeGrpcService(message: GrpcMessage, context: DecodeContext): GrpcService {
  const { targetSpecifier, initialMetadata, timeout } = message;
  for (const { key, value } of initialMetadata) judgeMetadata(key, value, context);
  const authority = targetSpecifier.case === "envoyGrpc" ? targetSpecifier.value.authority : "";
  return {
    target: targetOf(targetSpecifier),
    authority,
    initialMetadata: [
      ...initialMetadata.map(({ key, value }) => ({ key, value })),
      ...(targetSpecifier.case === "googleGrpc"
        ? decodeAccessTokens(targetSpecifier.value, context)
        : []),
    ],
    timeoutMs: durationMsOr(timeout, 0),
  };
}

function targetOf(specifier: GrpcMessage["targetSpecifier"]): GrpcService["target"] {
  if (specifier.case === "googleGrpc") {
    const { value } = specifier;
    return { kind: "uri", uri: value.targetUri, tls: decodeChannelTls(value) };
  }
  // The validation rules require one of them.
  return { kind: "cluster", clusterName: specifier.value?.clusterName ?? "" };
}

/** Names as HTTP/2 has them; values as they are: command operators in them are not built. */
function judgeMetadata(key: string, value: string, context: DecodeContext): void {
  if (!/^[0-9a-z_.-]+$/.test(key) || key.endsWith("-bin"))
    context.refuse(`initial_metadata: '${key}' is not a name of a text header in lower case`);
  if (!/^[\x20-\x7e]*$/.test(value))
    context.refuse(`initial_metadata: the value of '${key}' is not printable ASCII`);
  if (/%[A-Z_]+(\(|:|%)/.test(value))
    context.refuse(`initial_metadata: command operators in '${key}' are not supported`);
}

/** The cluster that the service is reached through; empty where it is not one of ours. */
export function clusterOf({ target }: GrpcService): readonly string[] {
  return target.kind === "cluster" ? [target.clusterName] : [];
}

/** Between attempts to reach the service. */
export function decodeServiceBackoff(
  service: GrpcMessage,
  context: DecodeContext,
): BackoffOptions | undefined {
  return decodeBackoff(retryPolicyOf(service), context);
}

function retryPolicyOf(service: GrpcMessage): RetryPolicy | undefined {
  const { targetSpecifier, retryPolicy } = service;
  if (retryPolicy) return retryPolicy;
  return targetSpecifier.case === "envoyGrpc" ? targetSpecifier.value.retryPolicy : undefined;
}

function decodeBackoff(
  policy: RetryPolicy | undefined,
  context: DecodeContext,
): BackoffOptions | undefined {
  const strategy = policy?.retryBackOff;
  if (!strategy) return undefined;
  const baseMs = durationMsOr(strategy.baseInterval, 0);
  const maxMs = durationMsOr(strategy.maxInterval, baseMs * maxIntervalFactor);
  if (maxMs < baseMs)
    context.refuse("max_interval must be greater than or equal to the base_interval");
  return { baseMs, maxMs };
}

function decodeRateLimit({ maxTokens, fillRate }: RateLimitSettings): RateLimit {
  return {
    maxTokens: maxTokens ?? rateLimitDefault.maxTokens,
    tokensPerSecond: fillRate ?? rateLimitDefault.tokensPerSecond,
  };
}
