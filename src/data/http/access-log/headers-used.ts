/** Which headers an access log prints, so that only those are kept until the request ends. */
import type {
  AccessLogConfig,
  AccessLogFilter,
  AccessLogJsonObject,
  AccessLogPart,
  LineLogConfig,
} from "../../../shared/config/access-log-config.ts";
import { grpcStatusField } from "./filter.ts";

/** Those that have a field of their own in every HTTP entry (Envoy: `HTTPRequestProperties`). */
const entryHeaders = [
  "user-agent",
  "referer",
  "x-forwarded-for",
  "x-request-id",
  "x-envoy-original-path",
];

export function requestHeadersLogged(configs: readonly AccessLogConfig[]): readonly string[] {
  return lowerCase(
    configs.flatMap((config) => {
      if (config.kind === "line") return headersOf(config, ["REQ", "REQ_WITHOUT_QUERY"]);
      return config.entryKind === "http" ? [...entryHeaders, ...config.requestHeaders] : streamIds;
    }),
  );
}

/** What a TCP entry says of a request: its `stream_id`. */
const streamIds = ["x-request-id"];

export function responseHeadersLogged(configs: readonly AccessLogConfig[]): readonly string[] {
  return lowerCase(
    configs.flatMap((config) => [
      ...(config.kind === "line" ? headersOf(config, ["RESP"]) : config.responseHeaders),
      ...headersAsked(config.filter),
    ]),
  );
}

export function responseTrailersLogged(configs: readonly AccessLogConfig[]): readonly string[] {
  return lowerCase(
    configs.flatMap((config) => [
      ...(config.kind === "line" ? headersOf(config, ["TRAILER"]) : config.responseTrailers),
      ...headersAsked(config.filter),
    ]),
  );
}

/** Of a response, or of its trailers. */
function headersAsked(filter: AccessLogFilter | undefined): readonly string[] {
  if (filter === undefined) return [];
  if (filter.kind === "and" || filter.kind === "or") return filter.filters.flatMap(headersAsked);
  return filter.kind === "grpcStatus" ? [grpcStatusField] : [];
}

function headersOf({ format }: LineLogConfig, operators: readonly string[]): readonly string[] {
  const parts = format.kind === "text" ? format.parts : partsOf(format.fields);
  return parts.flatMap((part) =>
    part.kind === "operator" && operators.includes(part.name) ? part.args : [],
  );
}

function lowerCase(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

function partsOf(fields: AccessLogJsonObject): readonly AccessLogPart[] {
  return Object.values(fields).flatMap((field) =>
    Array.isArray(field)
      ? (field as readonly AccessLogPart[])
      : partsOf(field as AccessLogJsonObject),
  );
}
