/**
 * Resources as people write them: YAML or JSON, one or a list, checked as a proxy would check them. One may stand
 * in an `envoy.service.discovery.v3.Resource`, which has room for a TTL, for aliases, and for another name.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { ReadResult } from "../control/proto/binary.ts";
import { readJson } from "../control/proto/json.ts";
import { MessageValidator } from "../control/proto/message-validator.ts";
import { createProtoRegistry, type ProtoRegistry } from "../control/proto/proto-registry.ts";
import { typeNameOf } from "../control/proto/type-url.ts";
import { type JsonObject, type JsonValue, readYaml } from "../control/proto/yaml.ts";
import type { ServedResource } from "./discovery-wire.ts";
import type { ServedType } from "./resource-types.ts";

/** A resource with the JSON it was read from. */
export interface ReadResource extends ServedResource {
  readonly json: JsonObject;
}

const wrapperName = "envoy.service.discovery.v3.Resource";
const wrapperFields = ["@type", "name", "version", "aliases", "ttl", "resource"];

export class ResourceReader {
  readonly protos: ProtoRegistry;
  readonly #validator: MessageValidator;

  constructor(protos: ProtoRegistry = createProtoRegistry()) {
    this.protos = protos;
    this.#validator = new MessageValidator(protos);
  }

  /** The text of a file or a body of one type. */
  readText(type: ServedType, text: string): ReadResult<readonly ReadResource[]> {
    const json = readYaml(text);
    return json.ok ? this.readAll(type, json.value) : json;
  }

  /**
   * One resource, a list, or the JSON of a DiscoveryResponse, as Envoy's own files are (docs: `path_config_source`).
   * Every error is told, with its place in the list.
   */
  readAll(type: ServedType, json: JsonValue): ReadResult<readonly ReadResource[]> {
    const listed = isObject(json) ? (json["resources"] ?? json) : json;
    const isList = Array.isArray(listed);
    const values = isList ? (listed as readonly JsonValue[]) : [listed];
    const reads = values.map((value) => this.#read(type, value));
    const errors = reads.flatMap((read, index) => {
      const place = isList && values.length > 1 ? `[${index}]: ` : "";
      return read.ok ? [] : read.errors.map((error) => place + error);
    });
    if (errors.length > 0) return { ok: false, errors };
    return { ok: true, value: reads.flatMap((read) => (read.ok ? [read.value] : [])) };
  }

  #read(type: ServedType, json: JsonValue): ReadResult<ReadResource> {
    if (!isObject(json)) return failed(`a ${type.messageName} must be a mapping`);
    if (typeof json["@type"] === "string" && typeNameOf(json["@type"]) === wrapperName)
      return this.#readWrapped(type, json);
    return this.protos.find(type.messageName)
      ? this.#readMessage(type, json)
      : readOpaque(type, json);
  }

  #readMessage(type: ServedType, json: JsonObject): ReadResult<ReadResource> {
    // As in a DiscoveryResponse's JSON; here the type is known, so it may be left out.
    const { "@type": typeUrl, ...fields } = json;
    if (typeof typeUrl === "string" && typeNameOf(typeUrl) !== type.messageName)
      return failed(`@type: ${typeNameOf(typeUrl)} is no ${type.messageName}`);
    const schema = this.protos.schema(type.messageName);
    const read = readJson(this.protos, schema, fields);
    if (!read.ok) return read;
    const violations = this.#validator.validate(schema, read.value);
    if (violations.length > 0) return { ok: false, errors: violations };
    const name = fields[type.nameField] ?? fields[camelCase(type.nameField)];
    if (typeof name !== "string" || name === "") return failed(`${type.nameField} is missing`);
    const bytes = toBinary(schema, read.value);
    return { ok: true, value: { name, typeUrl: type.typeUrl, bytes, json: fields } };
  }

  #readWrapped(type: ServedType, json: JsonObject): ReadResult<ReadResource> {
    const { name, aliases, ttl, resource } = json;
    const unknown = Object.keys(json).filter((key) => !wrapperFields.includes(key));
    const errors = unknown.map((key) => `Resource: no such field: '${key}'`);
    if (name !== undefined && typeof name !== "string") errors.push("Resource.name: must be text");
    const isList = Array.isArray(aliases) && aliases.every((alias) => typeof alias === "string");
    if (aliases !== undefined && !isList) errors.push("Resource.aliases: must be a list of names");
    const ttlMs = typeof ttl === "string" ? ttlMsOf(ttl) : undefined;
    if (ttl !== undefined && ttlMs === undefined)
      errors.push("Resource.ttl: must be a positive duration, such as 5s");
    const inner = this.#read(type, resource ?? {});
    if (!inner.ok) errors.push(...inner.errors.map((error) => `Resource.resource: ${error}`));
    if (!inner.ok || errors.length > 0) return { ok: false, errors };
    return {
      ok: true,
      value: {
        ...inner.value,
        json,
        ...(typeof name === "string" && { name }),
        ...(isList && { aliases: aliases as readonly string[] }),
        ...(ttlMs !== undefined && { ttlMs }),
      },
    };
  }
}

/** Of a type without descriptors: its name, and its bytes in base64. */
function readOpaque(
  { typeUrl, messageName }: ServedType,
  json: JsonObject,
): ReadResult<ReadResource> {
  const { name, value } = json;
  if (typeof name === "string" && typeof value === "string")
    return { ok: true, value: { name, typeUrl, bytes: Buffer.from(value, "base64"), json } };
  return failed(
    `${messageName} is not known here: give its name, and its bytes as value in base64`,
  );
}

function ttlMsOf(text: string): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(text)?.[1];
  const ms = Math.round(Number(seconds) * 1000);
  return ms > 0 ? ms : undefined;
}

function failed(error: string): { readonly ok: false; readonly errors: readonly string[] } {
  return { ok: false, errors: [error] };
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
