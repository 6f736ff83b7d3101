/** Where resources come from: `ConfigSource` and `ApiConfigSource` of `envoy.config.core.v3`. */
import type {
  ApiConfigSource as ApiMessage,
  ConfigSource as SourceMessage,
} from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { ApiConfigSource, ConfigSource } from "./config-source.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Docs: `ConfigSource.initial_fetch_timeout`, "default 15s; 0s disables it". */
const initialFetchTimeoutMsDefault = 15_000;

/** `core.v3.ApiVersion.V2`. */
const versionV2 = 1;
/** By the numbers of `ApiConfigSource.ApiType`. */
const grpc = 2;
const deltaGrpc = 3;

export function decodeConfigSource(message: SourceMessage, context: DecodeContext): ConfigSource {
  const initialFetchTimeoutMs = durationMsOr(
    message.initialFetchTimeout,
    initialFetchTimeoutMsDefault,
  );
  const source = message.configSourceSpecifier;
  if (Number(message.resourceApiVersion) === versionV2)
    context.refuse("the v2 xDS API is not supported");
  switch (source.case) {
    case "path":
      return {
        kind: "path",
        path: source.value,
        watchedDirectory: undefined,
        initialFetchTimeoutMs,
      };
    case "pathConfigSource": {
      const { path, watchedDirectory } = source.value;
      return {
        kind: "path",
        path,
        watchedDirectory: watchedDirectory?.path,
        initialFetchTimeoutMs,
      };
    }
    case "apiConfigSource":
      return {
        kind: "api",
        api: decodeApiConfigSource(source.value, context),
        initialFetchTimeoutMs,
      };
    case "self":
      return { kind: "self", initialFetchTimeoutMs };
    case "ads":
    case undefined:
      // The validation rules require one of them.
      return { kind: "ads", initialFetchTimeoutMs };
    default:
      return source satisfies never;
  }
}

export function decodeApiConfigSource(
  message: ApiMessage,
  context: DecodeContext,
): ApiConfigSource {
  const apiType = Number(message.apiType);
  if (apiType !== grpc && apiType !== deltaGrpc)
    context.refuse("ApiConfigSource.api_type must be GRPC or DELTA_GRPC, others are not supported");
  if (Number(message.transportApiVersion) === versionV2)
    context.refuse("the v2 xDS transport protocol is not supported");
  const [service, ...fallbacks] = message.grpcServices;
  if (!service || fallbacks.length > 0)
    context.refuse("ApiConfigSource of type gRPC must have a single gRPC service specified");
  const target =
    service?.targetSpecifier.case === "envoyGrpc" ? service.targetSpecifier.value : undefined;
  return {
    apiType: apiType === deltaGrpc ? "deltaGrpc" : "grpc",
    setNodeOnFirstMessageOnly: message.setNodeOnFirstMessageOnly,
    service: {
      clusterName: target?.clusterName ?? "",
      authority: target?.authority ?? "",
      initialMetadata: service?.initialMetadata.map(({ key, value }) => ({ key, value })) ?? [],
      timeoutMs: durationMsOr(service?.timeout, 0),
    },
  };
}
