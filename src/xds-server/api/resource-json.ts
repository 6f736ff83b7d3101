/** Resources as the API takes and gives them: what one was told is what one reads back. */
import type { ReadResult } from "../../control/proto/binary.ts";
import { readBinary } from "../../control/proto/binary.ts";
import { writeJson } from "../../control/proto/json.ts";
import { typeUrlOf } from "../../control/proto/type-url.ts";
import type { JsonObject, JsonValue } from "../../control/proto/yaml.ts";
import type { ServedResource } from "../discovery-wire.ts";
import { duplicatesIn } from "../resource-folder.ts";
import type { ReadResource, ResourceReader } from "../resource-reader.ts";
import { servedTypeNamed, servedTypeOf, type ServedType } from "../resource-types.ts";

export type ResourceSet = ReadonlyMap<string, readonly ReadResource[]>;

/** A mapping of types to lists. Either all of it is good, or every error is told with its place. */
export function readResourceSet(reader: ResourceReader, json: JsonValue): ReadResult<ResourceSet> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return { ok: false, errors: ["want a mapping of types to lists, such as listeners: [...]"] };
  const errors: string[] = [];
  const set = new Map<string, readonly ReadResource[]>();
  for (const [word, value] of Object.entries(json as JsonObject)) {
    const type = servedTypeNamed(word);
    const read = type ? readResources(reader, type, value) : unknownType(word);
    if (!read.ok) errors.push(...read.errors);
    else if (type && set.has(type.typeUrl))
      errors.push(`${word}: ${type.shortName} is there twice`);
    else if (type) set.set(type.typeUrl, read.value);
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: set };
}

/** All of one type. */
export function readResources(
  reader: ResourceReader,
  type: ServedType,
  json: JsonValue,
): ReadResult<readonly ReadResource[]> {
  const read = reader.readAll(type, json ?? []);
  if (!read.ok)
    return { ok: false, errors: read.errors.map((error) => placed(type.folder, error)) };
  const duplicates = duplicatesIn(type, read.value);
  return duplicates.length > 0 ? { ok: false, errors: duplicates } : read;
}

/** What the reader says begins with `[3]: ` where there is a list. */
function placed(folder: string, error: string): string {
  return error.startsWith("[") ? folder + error : `${folder}: ${error}`;
}

export function unknownType(word: string): {
  readonly ok: false;
  readonly errors: readonly string[];
} {
  return { ok: false, errors: [`unknown type '${word}': say listeners, LDS or a type URL`] };
}

/** As it could be sent back. */
export function resourceJson(reader: ResourceReader, resource: ServedResource): JsonValue {
  const { name, aliases, ttlMs } = resource;
  const plain = messageJson(reader, resource);
  if (aliases === undefined && ttlMs === undefined) return plain;
  return {
    "@type": typeUrlOf("envoy.service.discovery.v3.Resource"),
    name,
    ...(aliases && { aliases }),
    ...(ttlMs !== undefined && { ttl: `${ttlMs / 1000}s` }),
    resource: plain,
  };
}

function messageJson(
  { protos }: ResourceReader,
  { name, typeUrl, bytes }: ServedResource,
): JsonValue {
  const { messageName } = servedTypeOf(typeUrl);
  const schema = protos.find(messageName) && protos.schema(messageName);
  const read = schema && readBinary(schema, bytes);
  if (schema && read?.ok) return writeJson(protos, schema, read.value);
  return { name, value: Buffer.from(bytes).toString("base64") };
}
