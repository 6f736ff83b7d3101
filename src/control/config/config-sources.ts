/** Where resources come from: `envoy.config.core.v3.ConfigSource`. */
import type { ConfigSource as SourceMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { decodeApiConfigSource } from "./api-config-sources.ts";
import type { ConfigSource } from "./config-source.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Docs: `ConfigSource.initial_fetch_timeout`, "default 15s; 0s disables it". */
const initialFetchTimeoutMsDefault = 15_000;

/** `core.v3.ApiVersion.V2`. */
const versionV2 = 1;

export function decodeConfigSource(message: SourceMessage, context: DecodeContext): ConfigSource {
  const initialFetchTimeoutMs = durationMsOr(
    message.initialFetchTimeout,
    initialFetchTimeoutMsDefault,
  );
  const source = message.configSourceSpecifier;
  if (message.authorities.length > 0)
    context.warn(
      "envoy.config.core.v3.ConfigSource.authorities",
      "resources are asked for where the source says; authorities belong to config_sources",
    );
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
