import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { FileSource, filePathError } from "../../../src/control/xds/file-source.ts";
import type { ResourceBatch } from "../../../src/control/xds/resource-batch.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { systemClock } from "../../../src/shared/common/clock.ts";
import { writeDiscoveryResponse } from "../../../src/xds-server/discovery-wire.ts";
import { textResource } from "../../support/text-resources.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { until } from "../../support/until.ts";

const protos = createProtoRegistry();
const typeUrl = "type.googleapis.com/envoy.config.listener.v3.Listener";
const lds = {
  typeUrl,
  shortName: "LDS",
  isFullState: true,
  decode: (bytes: Uint8Array) => ({ ok: true as const, value: bytes.length, warnings: [] }),
};

const listeners = (version: string, ...names: string[]): string =>
  JSON.stringify({
    version_info: version,
    resources: names.map((name) => ({ "@type": typeUrl, name })),
  });

function start() {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-files-"));
  const file = path.join(folder, "lds.yaml");
  writeFileSync(file, listeners("1", "a", "b"));
  const warnings: string[] = [];
  const source = new FileSource({
    path: file,
    protos,
    clock: systemClock,
    stats: noXdsStats,
    logger: { ...silentLogger, warning: (line) => void warnings.push(line) },
  });
  const batches: ResourceBatch<number>[] = [];
  source.changes$(lds).subscribe((batch) => void batches.push(batch));
  return {
    file,
    source,
    warnings,
    batches,
    moveIn: (text: string) => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    },
    [Symbol.dispose]: () => {
      source[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

test("a file is applied, and again when another is moved into its place", async () => {
  using files = start();
  assert.equal(await files.source.whenAnswered(lds), "answered");
  assert.deepEqual(
    files.batches[0]?.changed.map(({ name }) => name),
    ["a", "b"],
  );
  files.moveIn(listeners("2", "b", "c"));
  await until(() => files.batches.length === 2, "the second file is applied");
  assert.deepEqual(
    files.batches[1]?.changed.map(({ name }) => name),
    ["c"],
  );
  assert.deepEqual(files.batches[1].removed, ["a"]);
  assert.equal(files.source.status().types[0]?.version, "2");
});

test("a broken file is told of, changes nothing, and counts as an answer", async () => {
  using files = start();
  files.moveIn("resources: [");
  assert.equal(await files.source.whenAnswered(lds), "answered");
  await until(() => files.warnings.length > 0, "the warning");
  assert.match(files.warnings[0] ?? "", /lds\.yaml: Unable to convert YAML/);
  files.moveIn(listeners("3", "a"));
  await until(() => files.source.status().types[0]?.version === "3", "the next good one");
});

test("a path that is not there is refused in Envoy's words", () => {
  assert.match(filePathError("/nowhere/lds.yaml") ?? "", /'\/nowhere\/lds.yaml' does not exist/);
  assert.equal(filePathError(import.meta.filename), undefined);
});

test("a ConfigMap: the folder that a symbolic link points into is exchanged", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-files-"));
  using cleanup = new DisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  // As kubelet does it: ..data is a link to the folder of this generation, files are links into ..data.
  const generation = (name: string, text: string): void => {
    mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, name, "lds.yaml"), text);
    symlinkSync(name, path.join(folder, "..data_tmp"));
    renameSync(path.join(folder, "..data_tmp"), path.join(folder, "..data"));
  };
  generation("..first", listeners("1", "a"));
  const file = path.join(folder, "lds.yaml");
  symlinkSync("..data/lds.yaml", file);
  using source = new FileSource({
    path: file,
    watchedDirectory: folder,
    protos,
    clock: systemClock,
    stats: noXdsStats,
    logger: silentLogger,
  });
  const batches: ResourceBatch<number>[] = [];
  source.changes$(lds).subscribe((batch) => void batches.push(batch));
  await until(() => batches.length === 1, "the first generation");
  generation("..second", listeners("2", "b"));
  await until(() => source.status().types[0]?.version === "2", "the second generation");
  // Making a generation takes several moves, so it may have been read more than once.
  assert.deepEqual(
    batches.flatMap(({ removed }) => removed),
    ["a"],
  );
});

for (const [name, content] of [
  ["lds.json", listeners("1", "a")],
  ["lds.yaml", `version_info: "1"\nresources:\n- {"@type": ${typeUrl}, name: a}\n`],
  [
    "lds.pb",
    writeDiscoveryResponse({
      version: "1",
      nonce: "",
      typeUrl,
      resources: [{ typeUrl, bytes: textResource("a", "") }],
    }),
  ],
] as const)
  test(`${name} is read`, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-files-"));
    using cleanup = new DisposableStack();
    cleanup.defer(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, name);
    writeFileSync(file, content);
    using source = new FileSource({
      path: file,
      protos,
      clock: systemClock,
      stats: noXdsStats,
      logger: silentLogger,
    });
    const batches: ResourceBatch<number>[] = [];
    source.changes$(lds).subscribe((batch) => void batches.push(batch));
    await until(() => batches.length === 1, "the file is applied");
    assert.deepEqual(
      batches[0]?.changed.map((resource) => [resource.name, resource.version]),
      [["a", "1"]],
    );
  });
