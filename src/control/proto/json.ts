/**
 * The proto3 JSON mapping, strict: unknown fields are refused, as Envoy refuses them in a bootstrap
 * (protobuf.dev/programming-guides/json; snake_case and camelCase, `@type` in Any, "0.25s").
 */
import { clone, fromJson, toJson } from "@bufbuild/protobuf";
import type { JsonValue as LibraryJson, Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { messageOf } from "../../shared/common/errors.ts";
import type { ReadResult } from "./binary.ts";
import { jsonErrors } from "./json-errors.ts";
import { replaceOpaqueAnys } from "./opaque-any.ts";
import type { ProtoRegistry } from "./proto-registry.ts";
import { type JsonValue, readYaml } from "./yaml.ts";

/** What was read, and the fields that were passed over on request. */
export interface LenientRead<T> {
  readonly value: T;
  readonly unknownFields: readonly string[];
}

/** Reads a message from JSON or YAML text; never throws. */
export function readText<T extends Message>(
  protos: ProtoRegistry,
  schema: GenMessage<T>,
  text: string,
): ReadResult<T> {
  const json = readDocument(text);
  return json.ok ? readJson(protos, schema, json.value) : json;
}

/** As `readText`, passing over unknown fields (`--allow-unknown-static-fields`) and nothing else. */
export function readTextLeniently<T extends Message>(
  protos: ProtoRegistry,
  schema: GenMessage<T>,
  text: string,
): ReadResult<LenientRead<T>> {
  const json = readDocument(text);
  if (!json.ok) return json;
  const strict = readJson(protos, schema, json.value);
  if (strict.ok) return { ok: true, value: { value: strict.value, unknownFields: [] } };
  const errors = strict.errors.filter((error) => !unknownField.test(error));
  if (errors.length > 0) return { ok: false, errors };
  try {
    const options = { registry: protos.types, ignoreUnknownFields: true };
    const value = fromJson(schema, json.value as LibraryJson, options);
    return { ok: true, value: { value, unknownFields: strict.errors } };
  } catch (thrown) {
    return { ok: false, errors: [`invalid JSON in ${schema.typeName}: ${messageOf(thrown)}`] };
  }
}

const unknownField = /: no such field: '[^']*'$/;

function readDocument(text: string): ReadResult<JsonValue> {
  const json = readYaml(text);
  // Envoy: an empty file and a bare word are refused, not taken for an empty message.
  if (!json.ok || (typeof json.value === "object" && json.value !== null)) return json;
  return { ok: false, errors: [`Unable to convert YAML as JSON: ${text.slice(0, 200)}`] };
}

/** Reads a message from a JSON value; never throws. */
export function readJson<T extends Message>(
  protos: ProtoRegistry,
  schema: GenMessage<T>,
  json: JsonValue,
): ReadResult<T> {
  try {
    return { ok: true, value: fromJson(schema, json as LibraryJson, { registry: protos.types }) };
  } catch (thrown) {
    const errors = jsonErrors(protos, schema, json);
    if (errors.length > 0) return { ok: false, errors };
    return { ok: false, errors: [`invalid JSON in ${schema.typeName}: ${messageOf(thrown)}`] };
  }
}

/**
 * A message as JSON with the field names of the .proto files, as /config_dump shows it. An Any whose
 * type we do not know, or whose bytes are broken, is shown as a Struct of `type_url` and base64 `value`.
 */
export function writeJson<T extends Message>(
  protos: ProtoRegistry,
  schema: GenMessage<T>,
  message: T,
): JsonValue {
  const options = { registry: protos.types, useProtoFieldName: true };
  try {
    return toJson(schema, message, options) as JsonValue;
  } catch {
    const copy = clone(schema, message);
    replaceOpaqueAnys(protos, schema, copy);
    return toJson(schema, copy, options) as JsonValue;
  }
}
