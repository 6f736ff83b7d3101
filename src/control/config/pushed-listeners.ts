/**
 * Listeners as people write them (YAML or JSON: a list, one alone, or a DiscoveryResponse), read and judged as if they
 * had been pushed. Each that is wrong keeps its errors; the others are read all the same.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import { readJson } from "../proto/json.ts";
import type { ReadResult } from "../proto/binary.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { typeNameOf } from "../proto/type-url.ts";
import { type JsonObject, type JsonValue, readYaml } from "../proto/yaml.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import { listenerTypeName } from "./listeners.ts";
import type { ResourceDecoder } from "./resource-decoder.ts";

export type ReadListener =
  | { readonly name: string; readonly decoded: DecodedListener }
  | { readonly name: string; readonly errors: readonly string[] };

export interface ListenerReading {
  readonly protos: ProtoRegistry;
  readonly decoder: ResourceDecoder<DecodedListener>;
}

const wrapperName = "envoy.service.discovery.v3.Resource";

/** The listeners that a text holds, unread; or why it is no list of them. */
export function listListeners(text: string): ReadResult<readonly JsonValue[]> {
  const json = readYaml(text);
  if (!json.ok) return json;
  const { value } = json;
  if (Array.isArray(value)) return { ok: true, value: value as readonly JsonValue[] };
  if (!isObject(value)) return failed("want a list of listeners, or a DiscoveryResponse");
  if (!("resources" in value)) return { ok: true, value: [value] };
  const { resources } = value;
  if (!Array.isArray(resources)) return failed("resources: must be a list");
  return { ok: true, value: resources as readonly JsonValue[] };
}

/** One by one, as they are asked for. */
export function* readListeners(
  values: readonly JsonValue[],
  reading: ListenerReading,
): Iterable<ReadListener> {
  for (const value of values) yield readListener(value, reading);
}

function readListener(value: JsonValue, { protos, decoder }: ListenerReading): ReadListener {
  const { "@type": type, ...fields } = unwrapped(value);
  const name = typeof fields["name"] === "string" ? fields["name"] : "";
  if (typeof type === "string" && typeNameOf(type) !== listenerTypeName)
    return { name, errors: [`@type: ${typeNameOf(type)} is no ${listenerTypeName}`] };
  const schema = protos.schema<Listener>(listenerTypeName);
  const read = readJson(protos, schema, fields);
  if (!read.ok) return { name, errors: read.errors };
  const result = decoder.decode(toBinary(schema, read.value));
  if (!result.ok) return { name, errors: result.errors };
  return { name: result.value.facts.name, decoded: result.value };
}

/** As delta has resources, and a DiscoveryResponse may. */
function unwrapped(value: JsonValue): JsonObject {
  if (!isObject(value)) return {};
  const { "@type": type, resource } = value;
  if (typeof type !== "string" || typeNameOf(type) !== wrapperName) return value;
  return resource !== undefined && isObject(resource) ? resource : {};
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function failed(reason: string): { readonly ok: false; readonly errors: readonly string[] } {
  return { ok: false, errors: [reason] };
}
