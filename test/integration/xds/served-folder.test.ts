import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../src/shared/common/clock.ts";
import { FolderWatcher } from "../../../src/xds-server/folder-watcher.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { ResourceFolder } from "../../../src/xds-server/resource-folder.ts";
import { until } from "../../support/until.ts";

const lds = "type.googleapis.com/envoy.config.listener.v3.Listener";
const listener = (name: string): string =>
  `name: ${name}\naddress: { pipe: { path: /tmp/${name} } }\n`;

test("a saved file is pushed, by write and by rename; a broken one is told and changes nothing", async () => {
  const root = mkdtempSync(path.join(tmpdir(), "sluice-watched-"));
  const file = path.join(root, "listeners", "a.yaml");
  mkdirSync(path.dirname(file));
  writeFileSync(file, listener("a"));
  await using server = await ManagementServer.start();
  const lines: string[] = [];
  using watcher = new FolderWatcher({
    folder: new ResourceFolder(root),
    clock: systemClock,
    log: (line) => void lines.push(line),
    onContent: (content) => void server.setAll(content),
  });
  const names = (): string =>
    server
      .resourcesOf(lds)
      .map(({ name }) => name)
      .join();
  assert(watcher.load());
  assert.equal(names(), "a");
  writeFileSync(file, listener("b"));
  await until(() => names() === "b", "the written file is served");
  writeFileSync(`${root}/new`, listener("c"));
  renameSync(`${root}/new`, file);
  await until(() => names() === "c", "the renamed file is served");
  writeFileSync(file, "name: d\naddress: 5\n");
  await until(() => lines.length > 0, "the mistake is told");
  assert.match(lines[0] ?? "", /not pushed.*a\.yaml/);
  assert.equal(names(), "c");
  rmSync(file);
  await until(() => names() === "", "a removed file takes its resource away");
  rmSync(root, { recursive: true });
});
