/**
 * Resources from a folder of YAML or JSON files: `listeners/`, `clusters/` and so on, a folder for each type, or
 * one file of each name (`listeners.yaml`). A file holds one resource, or a list of them. Everything is
 * checked before anything is served, and every error is told with its file.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../shared/common/errors.ts";
import type { ReadResult } from "../control/proto/binary.ts";
import type { ProtoRegistry } from "../control/proto/proto-registry.ts";
import type { ServedResource } from "./discovery-wire.ts";
import { ResourceReader, type ReadResource } from "./resource-reader.ts";
import { servedTypes, type ServedType } from "./resource-types.ts";

/** The resources of every served type, by type URL. */
export type FolderContent = ReadonlyMap<string, readonly ReadResource[]>;

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
  readonly #reader: ResourceReader;
  readonly #substitutions: Substitutions;

  constructor(root: string, substitutions: Substitutions = {}, protos?: ProtoRegistry) {
    this.root = root;
    this.#reader = new ResourceReader(protos);
    this.#substitutions = substitutions;
  }

  /** Reads all files; either all of it is good, or every error is told. */
  read(): ReadResult<FolderContent> {
    const errors: string[] = [];
    const content = new Map<string, readonly ReadResource[]>();
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

  #readFile(type: ServedType, file: string): ReadResult<readonly ReadResource[]> {
    try {
      return this.readText(type, readFileSync(file, "utf8"));
    } catch (thrown) {
      return { ok: false, errors: [messageOf(thrown)] };
    }
  }

  /** Reads the text of a file of one type. */
  readText(type: ServedType, text: string): ReadResult<readonly ReadResource[]> {
    const substituted = this.#substituted(text);
    if (!substituted.ok) return substituted;
    return this.#reader.readText(type, substituted.value);
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

/** Of one name a client could keep only one. */
export function duplicatesIn(type: ServedType, resources: readonly ServedResource[]): string[] {
  const seen = new Set<string>();
  return resources.flatMap(({ name }) => {
    if (seen.has(name)) return [`${type.folder}: duplicate ${name}`];
    seen.add(name);
    return [];
  });
}
