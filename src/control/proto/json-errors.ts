/**
 * Why a JSON value is not a message: every reason at once, each with its path, in Envoy's words. The
 * library stops at the first and knows no path, so it only judges; when it says no, this walk finds out
 * why by asking it about one leaf at a time.
 */
import { fromJson } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { messageOf } from "../../shared/common/errors.ts";
import type { ProtoRegistry } from "./proto-registry.ts";
import type { JsonObject, JsonValue } from "./yaml.ts";

/** More would not be read, and a hostile document could ask for millions. */
const errorsMax = 100;

/** Empty if this walk finds nothing wrong. */
export function jsonErrors(
  protos: ProtoRegistry,
  desc: DescMessage,
  json: JsonValue,
): readonly string[] {
  const walk = new JsonWalk(protos, desc);
  walk.message(desc, json, "");
  return walk.errors;
}

class JsonWalk {
  readonly errors: string[] = [];
  readonly #protos: ProtoRegistry;
  readonly #root: DescMessage;

  constructor(protos: ProtoRegistry, root: DescMessage) {
    this.#protos = protos;
    this.#root = root;
  }

  message(desc: DescMessage, json: JsonValue, path: string): void {
    if (this.errors.length >= errorsMax) return;
    if (desc.typeName === "google.protobuf.Any") return this.#any(json, path);
    if (desc.typeName.startsWith("google.protobuf.")) return this.#wellKnown(desc, json, path);
    if (!isObject(json)) return this.#add(path, `message ${desc.typeName}`, expected("{", json));
    const oneofs = new Set<string>();
    for (const [key, value] of Object.entries(json)) {
      const field = desc.fields.find((f) => f.name === key || f.jsonName === key);
      if (!field) {
        this.#add(path, `message ${desc.typeName}`, `no such field: '${key}'`);
        continue;
      }
      if (value === null) continue;
      const fieldPath = path === "" ? field.name : `${path}.${field.name}`;
      if (field.oneof && oneofs.has(field.oneof.name)) {
        const reason = `'${field.name}' has already been set (either directly or as part of a oneof)`;
        this.#add(fieldPath, kindOf(field), reason);
      }
      if (field.oneof) oneofs.add(field.oneof.name);
      this.#field(field, value, fieldPath);
    }
  }

  #field(field: DescField, json: JsonValue, path: string): void {
    if (field.fieldKind === "list") return this.#list(field, json, path);
    if (field.fieldKind === "map") return this.#map(field, json, path);
    if (field.fieldKind === "message") return this.message(field.message, json, path);
    this.#leaf(field, json, path);
  }

  #list(field: DescField & { fieldKind: "list" }, json: JsonValue, path: string): void {
    if (!Array.isArray(json)) return this.#add(path, kindOf(field), expected("[", json));
    for (const [index, item] of (json as readonly JsonValue[]).entries()) {
      const itemPath = `${path}[${index}]`;
      if (field.listKind === "message") this.message(field.message, item, itemPath);
      else this.#leaf(field, [item], itemPath);
    }
  }

  #map(field: DescField & { fieldKind: "map" }, json: JsonValue, path: string): void {
    if (!isObject(json)) return this.#add(path, kindOf(field), expected("{", json));
    for (const [key, value] of Object.entries(json)) {
      const valuePath = `${path}["${key}"]`;
      if (field.mapKind === "message") this.message(field.message, value, valuePath);
      else this.#leaf(field, { [key]: value }, valuePath);
    }
  }

  #any(json: JsonValue, path: string): void {
    if (!isObject(json)) return this.#add(path, "message google.protobuf.Any", expected("{", json));
    const { "@type": typeUrl, ...content } = json;
    if (Object.keys(json).length === 0) return;
    if (typeof typeUrl !== "string")
      return this.#add(path, "message google.protobuf.Any", "missing @type in Any");
    const desc = this.#protos.find(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    if (!desc)
      return this.#add(path, "message google.protobuf.Any", `could not find @type '${typeUrl}'`);
    const isWellKnown = desc.typeName.startsWith("google.protobuf.");
    this.message(desc, isWellKnown ? (content["value"] ?? null) : content, path);
  }

  #wellKnown(desc: DescMessage, json: JsonValue, path: string): void {
    this.#ask(desc, json, { path, kind: `message ${desc.typeName}` });
  }

  /** Asks the library about a message that has nothing but this field. */
  #leaf(field: DescField, json: JsonValue, path: string): void {
    this.#ask(field.parent, { [field.name]: json }, { path, kind: kindOf(field) });
  }

  #ask(desc: DescMessage, json: JsonValue, at: { path: string; kind: string }): void {
    try {
      fromJson(desc, json as Parameters<typeof fromJson>[1], { registry: this.#protos.types });
    } catch (thrown) {
      // "cannot decode field a.B.c from JSON: reason": the path says it better.
      this.#add(at.path, at.kind, messageOf(thrown).replace(/^cannot decode .*? from JSON: /, ""));
    }
  }

  #add(path: string, kind: string, reason: string): void {
    const where = path === "" ? "" : ` @ ${path}`;
    this.errors.push(`invalid JSON in ${this.#root.typeName}${where}: ${kind}: ${reason}`);
  }
}

const isObject = (json: JsonValue): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json);

function expected(what: "{" | "[", json: JsonValue): string {
  const text = JSON.stringify(json);
  return `unexpected character: '${text.charAt(0)}'; expected '${what}'`;
}

function kindOf(field: DescField): string {
  if (field.message) return `message ${field.message.typeName}`;
  if (field.enum) return `enum ${field.enum.typeName}`;
  return scalarNames[field.scalar ?? 0] ?? "value";
}

/** By the numbers of google.protobuf.FieldDescriptorProto.Type. */
const scalarNames: readonly (string | undefined)[] = [
  undefined,
  "double",
  "float",
  "int64",
  "uint64",
  "int32",
  "fixed64",
  "fixed32",
  "bool",
  "string",
  undefined,
  undefined,
  "bytes",
  "uint32",
  undefined,
  "sfixed32",
  "sfixed64",
  "sint32",
  "sint64",
];
