/** What a management server serves, from proto3 JSON by the names of folders; fails the test that gives bad ones. */
import assert from "node:assert/strict";
import type { JsonValue } from "../../src/control/proto/yaml.ts";
import { readResourceSet } from "../../src/xds-server/api/resource-json.ts";
import type { ResourceReader } from "../../src/xds-server/resource-reader.ts";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";

export type OfferedResources = Readonly<Record<string, readonly object[]>>;

export function offered(
  reader: ResourceReader,
  resources: OfferedResources,
): ReadonlyMap<string, readonly ServedResource[]> {
  const json = JSON.parse(JSON.stringify(resources)) as JsonValue;
  const read = readResourceSet(reader, json);
  assert(read.ok, read.ok ? "" : read.errors.join("\n"));
  return read.value;
}
