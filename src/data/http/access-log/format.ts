/**
 * Formats made ready: parts to functions once, lines per request. Lines are latin1 strings that carry
 * bytes: header values go out as the bytes they came as, literals as their UTF-8.
 */
import type {
  AccessLogFormat,
  AccessLogJsonObject,
  AccessLogPart,
} from "../../../shared/config/access-log-config.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import { makeOperator, type OperatorValue } from "./operators.ts";

export type Formatter = (info: StreamInfo) => string;
type ValueOf = (info: StreamInfo) => OperatorValue;

/** One line, with its line break where the format is JSON (text formats hold their own). */
export function compileFormat(format: AccessLogFormat): Formatter {
  if (format.kind === "text") return compileText(format.parts, "-");
  const write = compileObject(format.fields, format.omitEmptyValues);
  return (info) => `${write(info)}\n`;
}

/** Parts one after the other; a missing value is `missing`. */
export function compileText(parts: readonly AccessLogPart[], missing: string): Formatter {
  const pieces = parts.map((part): Formatter => {
    if (part.kind === "literal") {
      const text = utf8Bytes(part.text);
      return () => text;
    }
    const value = compileValue(part);
    return (info) => String(value(info) ?? missing);
  });
  return (info) => {
    let line = "";
    for (const piece of pieces) line += piece(info);
    return line;
  };
}

function compileValue(part: Extract<AccessLogPart, { kind: "operator" }>): ValueOf {
  const operator = makeOperator(part.name, part.args);
  const { maxLength } = part;
  if (maxLength === undefined) return operator;
  return (info) => {
    const value = operator(info);
    return typeof value === "string" ? value.slice(0, maxLength) : value;
  };
}

/** Keys are sorted, as Envoy's are. */
function compileObject(fields: AccessLogJsonObject, omitEmpty: boolean): Formatter {
  const members = Object.keys(fields)
    .sort()
    .map((key) => compileMember(key, fields[key] ?? [], omitEmpty));
  return (info) => {
    let text = "";
    for (const member of members) {
      const piece = member(info);
      if (piece !== "") text += text === "" ? piece : `,${piece}`;
    }
    return `{${text}}`;
  };
}

/** `"key":value`, or nothing where the value is empty and to be omitted. */
function compileMember(
  key: string,
  field: readonly AccessLogPart[] | AccessLogJsonObject,
  omitEmpty: boolean,
): Formatter {
  const prefix = `${utf8Bytes(JSON.stringify(key))}:`;
  if (!isParts(field)) {
    const write = compileObject(field, omitEmpty);
    return (info) => prefix + write(info);
  }
  const [only] = field;
  // A lone operator keeps its type: numbers are numbers, nothing is null.
  if (field.length === 1 && only?.kind === "operator") {
    const value = compileValue(only);
    return (info) => jsonMember(prefix, value(info), omitEmpty);
  }
  const write = compileText(field, omitEmpty ? "" : "-");
  return (info) => jsonMember(prefix, write(info), omitEmpty);
}

function isParts(
  field: readonly AccessLogPart[] | AccessLogJsonObject,
): field is readonly AccessLogPart[] {
  return Array.isArray(field);
}

function jsonMember(prefix: string, value: OperatorValue, omitEmpty: boolean): string {
  if (value === undefined) return omitEmpty ? "" : `${prefix}null`;
  return prefix + (typeof value === "number" ? String(value) : jsonText(value));
}

/** Bytes that are not UTF-8 become the replacement character: the line must stay JSON. */
function jsonText(value: string): string {
  if (/^[ !#-[\]-~]*$/.test(value)) return `"${value}"`;
  return utf8Bytes(JSON.stringify(Buffer.from(value, "latin1").toString("utf8")));
}

function utf8Bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
