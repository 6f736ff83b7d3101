/** Equal content has an equal version, whoever computes it and when. */
import { createHash } from "node:crypto";
import type { ServedResource } from "./discovery-wire.ts";

/** Resources are replaced, never changed, so a version is computed once. */
const versions = new WeakMap<Uint8Array, string>();

/** Of all resources of a type. */
export function versionOf(resources: readonly ServedResource[]): string {
  const hash = createHash("sha256");
  for (const { name, bytes } of resources.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(`${name.length}:${name}:${bytes.length}:`).update(bytes);
  return hash.digest("hex").slice(0, 12);
}

/** Of one. */
export function resourceVersion({ bytes }: ServedResource): string {
  const known = versions.get(bytes);
  if (known !== undefined) return known;
  const version = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  versions.set(bytes, version);
  return version;
}
