/**
 * Equal content has an equal version, whoever computes it and when. Resources and lists of them are replaced, never
 * changed, so that each is hashed once.
 */
import { createHash } from "node:crypto";
import type { ServedResource } from "./discovery-wire.ts";

const hashes = new WeakMap<Uint8Array, string>();
const listVersions = new WeakMap<readonly ServedResource[], string>();

/** Of a list of resources; their order does not matter. */
export function versionOf(resources: readonly ServedResource[]): string {
  const known = listVersions.get(resources);
  if (known !== undefined) return known;
  const entries = resources.map((one) => `${one.name.length}:${one.name}:${resourceVersion(one)}`);
  const version = hashOf(entries.toSorted().join("\n"));
  listVersions.set(resources, version);
  return version;
}

/** Of one. */
export function resourceVersion({ bytes, ttlMs, aliases }: ServedResource): string {
  const known = hashes.get(bytes);
  const hash = known ?? hashOf(bytes);
  if (known === undefined) hashes.set(bytes, hash);
  if (ttlMs === undefined && aliases === undefined) return hash;
  return hashOf(JSON.stringify([hash, ttlMs, aliases]));
}

function hashOf(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 12);
}
