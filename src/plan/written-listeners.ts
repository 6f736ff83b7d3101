/** The listeners that a file or folder holds, as they are written: nothing of them is judged here. */
import { readFileSync, statSync } from "node:fs";
import { listListeners } from "../control/config/pushed-listeners.ts";
import type { ReadResult } from "../control/proto/binary.ts";
import { type JsonObject, type JsonValue, readYaml } from "../control/proto/yaml.ts";
import { ResourceFolder } from "../xds-server/resource-folder.ts";
import { servedTypes } from "../xds-server/resource-types.ts";

export interface WrittenListeners {
  readonly listeners: readonly JsonValue[];
  /** Every cluster that there will be; undefined: they are not all written there. */
  readonly clusters: ReadonlySet<string> | undefined;
}

/** Throws what is wrong, in a sentence with the file's name. */
export function readWrittenListeners(file: string): WrittenListeners {
  const written = statSync(file).isDirectory() ? readFolder(file) : readFile(file);
  if (!written.ok) throw new Error(`${file}: ${written.errors.join("; ")}`);
  return written.value;
}

function readFolder(folder: string): ReadResult<WrittenListeners> {
  const read = new ResourceFolder(folder).read();
  if (!read.ok) return read;
  const of = (shortName: string) => {
    const type = servedTypes.find((each) => each.shortName === shortName);
    return read.value.get(type?.typeUrl ?? "") ?? [];
  };
  const clusters = of("CDS").map(({ name }) => name);
  return {
    ok: true,
    value: {
      listeners: of("LDS").map(({ json }) => json),
      clusters: clusters.length > 0 ? new Set(clusters) : undefined,
    },
  };
}

function readFile(file: string): ReadResult<WrittenListeners> {
  const text = readFileSync(file, "utf8");
  const json = readYaml(text);
  if (!json.ok) return json;
  if (isBootstrap(json.value)) return { ok: true, value: ofBootstrap(json.value) };
  const listed = listListeners(text);
  return listed.ok ? { ok: true, value: { listeners: listed.value, clusters: undefined } } : listed;
}

const bootstrapFields = ["static_resources", "staticResources", "dynamic_resources", "node"];

function isBootstrap(value: JsonValue): value is JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return bootstrapFields.some((field) => field in value);
}

function ofBootstrap(bootstrap: JsonObject): WrittenListeners {
  const resources = bootstrap["static_resources"] ?? bootstrap["staticResources"];
  const listOf = (field: string): readonly JsonValue[] => {
    const list = (resources as JsonObject | undefined)?.[field];
    return Array.isArray(list) ? (list as readonly JsonValue[]) : [];
  };
  const names = listOf("clusters").flatMap((cluster) => {
    const { name } = cluster as JsonObject;
    return typeof name === "string" ? [name] : [];
  });
  const isStatic = !("dynamic_resources" in bootstrap || "dynamicResources" in bootstrap);
  return { listeners: listOf("listeners"), clusters: isStatic ? new Set(names) : undefined };
}
