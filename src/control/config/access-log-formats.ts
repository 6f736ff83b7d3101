/** What a line of an access log says: text or JSON, with `%OPERATOR%` parts. */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { SubstitutionFormatString } from "../../../gen/es/envoy/config/core/v3/substitution_format_string_pb.d.ts";
import type { FileAccessLog } from "../../../gen/es/envoy/extensions/access_loggers/file/v3/file_pb.d.ts";
import type {
  AccessLogFormat,
  AccessLogJsonObject,
  AccessLogPart,
} from "../../shared/config/access-log-config.ts";
import { type CommandFormat, parseCommandFormat } from "../../shared/config/command-format.ts";
import { decodeInlineText } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Envoy's own (docs: configuration/observability/access_log/usage, "Default format string"). */
const defaultText =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% ' +
  "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% " +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Deeper objects in a JSON format are refused. */
const depthMax = 16;

export function decodeFileFormat(file: FileAccessLog, context: DecodeContext): AccessLogFormat {
  const format = file.accessLogFormat;
  switch (format.case) {
    case "format":
      return textFormat(format.value === "" ? defaultText : format.value, context);
    case "jsonFormat":
    case "typedJsonFormat":
      return jsonFormat(format.value, { omitEmptyValues: false }, context);
    case "logFormat":
      return decodeFormat(format.value, context);
    case undefined:
      return textFormat(defaultText, context);
    default:
      return format satisfies never;
  }
}

export function decodeFormat(
  message: SubstitutionFormatString | undefined,
  context: DecodeContext,
): AccessLogFormat {
  const format = message?.format;
  switch (format?.case) {
    case "textFormat":
      return textFormat(format.value, context);
    case "textFormatSource":
      return textFormat(decodeInlineText(format.value, context), context);
    case "jsonFormat":
      return jsonFormat(
        format.value,
        { omitEmptyValues: message?.omitEmptyValues ?? false },
        context,
      );
    case undefined:
      return textFormat(defaultText, context);
    default:
      return format satisfies never;
  }
}

function textFormat(text: string, context: DecodeContext): AccessLogFormat {
  return { kind: "text", parts: parts(text, context) };
}

/** Ten thousand listeners have one format, or a few: parsed once, and one object for all. */
const parsed = new Map<string, CommandFormat>();
const parsedMax = 100;

function parseOnce(text: string): CommandFormat {
  const known = parsed.get(text);
  if (known) return known;
  const format = parseCommandFormat(text);
  if (parsed.size >= parsedMax) parsed.clear();
  parsed.set(text, format);
  return format;
}

function parts(text: string, context: DecodeContext): readonly AccessLogPart[] {
  const format = parseOnce(text);
  if (format.ok) return format.parts;
  context.refuse(format.error);
  return [];
}

function jsonFormat(
  json: JsonObject,
  { omitEmptyValues }: { readonly omitEmptyValues: boolean },
  context: DecodeContext,
): AccessLogFormat {
  return { kind: "json", fields: jsonFields(json, context, 0), omitEmptyValues };
}

function jsonFields(json: JsonObject, context: DecodeContext, depth: number): AccessLogJsonObject {
  if (depth > depthMax) {
    context.refuse(`access log: json_format is nested deeper than ${depthMax}`);
    return {};
  }
  const entries = Object.entries(json).map(([key, value]) => [
    key,
    jsonField(value, context, depth),
  ]);
  return Object.fromEntries(entries) as AccessLogJsonObject;
}

function jsonField(
  value: JsonValue,
  context: DecodeContext,
  depth: number,
): readonly AccessLogPart[] | AccessLogJsonObject {
  if (typeof value === "string") return parts(value, context);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return jsonFields(value, context, depth + 1);
  context.refuse(
    "Only string values, nested structs are supported in structured access log format.",
  );
  return [];
}
