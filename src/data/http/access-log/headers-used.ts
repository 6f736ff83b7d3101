/** Which headers an access log prints, so that only those are kept until the request ends. */
import type {
  AccessLogConfig,
  AccessLogJsonObject,
  AccessLogPart,
} from "../../../shared/config/access-log-config.ts";

export function requestHeadersLogged(configs: readonly AccessLogConfig[]): readonly string[] {
  return headersOf(configs, ["REQ", "REQ_WITHOUT_QUERY"]);
}

export function responseHeadersLogged(configs: readonly AccessLogConfig[]): readonly string[] {
  return headersOf(configs, ["RESP"]);
}

function headersOf(
  configs: readonly AccessLogConfig[],
  operators: readonly string[],
): readonly string[] {
  const names = configs
    .flatMap(({ format }) => (format.kind === "text" ? format.parts : partsOf(format.fields)))
    .flatMap((part) =>
      part.kind === "operator" && operators.includes(part.name) ? part.args : [],
    );
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

function partsOf(fields: AccessLogJsonObject): readonly AccessLogPart[] {
  return Object.values(fields).flatMap((field) =>
    Array.isArray(field)
      ? (field as readonly AccessLogPart[])
      : partsOf(field as AccessLogJsonObject),
  );
}
