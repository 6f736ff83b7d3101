/**
 * Resources from a folder of YAML or JSON files: `listeners/`, `clusters/`, `routes/`, `endpoints/`, or
 * one file of each name (`listeners.yaml`). A file holds one resource, or a list of them. Everything is
 * checked before anything is served, and every error is told with its file.
 */
import { toBinary } from "@bufbuild/protobuf";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../shared/common/errors.ts";
import type { ReadResult } from "../control/proto/binary.ts";
import { readJson } from "../control/proto/json.ts";
import { MessageValidator } from "../control/proto/message-validator.ts";
import { createProtoRegistry, type ProtoRegistry } from "../control/proto/proto-registry.ts";
import { readYaml, type JsonObject, type JsonValue } from "../control/proto/yaml.ts";
import type { ServedResource } from "./discovery-wire.ts";
import { servedTypes, type ServedType } from "./resource-types.ts";

/** A resource with the JSON it was read from. */
export interface FolderResource extends ServedResource {
  readonly json: JsonObject;
}

/** The resources of every served type, by type URL. */
export type FolderContent = ReadonlyMap<string, readonly FolderResource[]>;

/** Values put in place of `${name}` in the text of the files: ports that are known only at run time. */
export type Substitutions = Readonly<Record<string, string | number>>;

const isResourceFile = (name: string): boolean =>
  /\.(ya?ml|json)$/.test(name) && !name.startsWith(".");

export class ResourceFolder {
  /** Edited by people: the one to watch. */
  readonly root: string;
  /**
   * Laid over the root, the last on top: a file of the same name replaces the one below it, and one
   * that holds an empty list takes its resources away.
   */
  overlays: readonly string[] = [];
  readonly #protos: ProtoRegistry;
  readonly #validator: MessageValidator;
  readonly #substitutions: Substitutions;

  constructor(
    root: string,
    substitutions: Substitutions = {},
    protos: ProtoRegistry = createProtoRegistry(),
  ) {
    this.root = root;
    this.#protos = protos;
    this.#validator = new MessageValidator(protos);
    this.#substitutions = substitutions;
  }

  /** Reads all files; either all of it is good, or every error is told. */
  read(): ReadResult<FolderContent> {
    const errors: string[] = [];
    const content = new Map<string, readonly FolderResource[]>();
    for (const type of servedTypes) {
      const resources = this.#filesOf(type).flatMap((file) => {
        const read = this.#readFile(type, file);
        if (!read.ok) errors.push(...read.errors.map((error) => `${file}: ${error}`));
        return read.ok ? read.value : [];
      });
      errors.push(...duplicatesIn(type, resources));
      content.set(type.typeUrl, resources);
    }
    return errors.length > 0 ? { ok: false, errors } : { ok: true, value: content };
  }

  #readFile(type: ServedType, file: string): ReadResult<readonly FolderResource[]> {
    try {
      return this.readText(type, readFileSync(file, "utf8"));
    } catch (thrown) {
      return { ok: false, errors: [messageOf(thrown)] };
    }
  }

  /** Reads the text of a file of one type. */
  readText(type: ServedType, text: string): ReadResult<readonly FolderResource[]> {
    const substituted = this.#substituted(text);
    if (!substituted.ok) return substituted;
    const json = readYaml(substituted.value);
    if (!json.ok) return json;
    const values = Array.isArray(json.value) ? (json.value as readonly JsonValue[]) : [json.value];
    const reads = values.map((value) => this.#readResource(type, value));
    const errors = reads.flatMap((read) => (read.ok ? [] : read.errors));
    if (errors.length > 0) return { ok: false, errors };
    return { ok: true, value: reads.flatMap((read) => (read.ok ? [read.value] : [])) };
  }

  #readResource(type: ServedType, json: JsonValue): ReadResult<FolderResource> {
    if (!isObject(json)) return { ok: false, errors: [`a ${type.messageName} must be a mapping`] };
    // As in a DiscoveryResponse's JSON; here the folder says the type, so it may be left out.
    const { "@type": _typeUrl, ...fields } = json;
    const schema = this.#protos.schema(type.messageName);
    const read = readJson(this.#protos, schema, fields);
    if (!read.ok) return read;
    const violations = this.#validator.validate(schema, read.value);
    if (violations.length > 0) return { ok: false, errors: violations };
    const name = fields[type.nameField];
    if (typeof name !== "string" || name === "")
      return { ok: false, errors: [`${type.nameField} is missing`] };
    const bytes = toBinary(schema, read.value);
    return { ok: true, value: { name, typeUrl: type.typeUrl, bytes, json: fields } };
  }

  #substituted(text: string): ReadResult<string> {
    const unknown = new Set<string>();
    const value = text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => {
      const found = this.#substitutions[name];
      if (found === undefined) unknown.add(name);
      return found === undefined ? whole : String(found);
    });
    if (unknown.size === 0) return { ok: true, value };
    return { ok: false, errors: [`nothing stands for \${${[...unknown].join("}, ${")}}`] };
  }

  /** The files that count, sorted, so that the order of resources does not depend on the file system. */
  #filesOf(type: ServedType): string[] {
    const files = new Map<string, string>();
    for (const layer of [this.root, ...this.overlays])
      for (const name of filesIn(layer, type.folder)) files.set(name, path.join(layer, name));
    return [...files].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
  }
}

function filesIn(layer: string, kind: string): string[] {
  const names = readdirSync(layer);
  const files = names.filter((name) => isResourceFile(name) && path.parse(name).name === kind);
  const folder = path.join(layer, kind);
  if (!names.includes(kind) || !statSync(folder).isDirectory()) return files;
  const inner = readdirSync(folder).filter(isResourceFile);
  return [...files, ...inner.map((name) => path.join(kind, name))];
}

function duplicatesIn(type: ServedType, resources: readonly ServedResource[]): string[] {
  const seen = new Set<string>();
  return resources.flatMap(({ name }) => {
    if (seen.has(name)) return [`${type.folder}: duplicate ${name}`];
    seen.add(name);
    return [];
  });
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
