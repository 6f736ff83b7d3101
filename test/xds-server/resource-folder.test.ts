import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ResourceFolder } from "../../src/xds-server/resource-folder.ts";

const lds = "type.googleapis.com/envoy.config.listener.v3.Listener";
const eds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

const listener = (name: string, port: string): string =>
  `name: ${name}\naddress: { socket_address: { address: 127.0.0.1, port_value: ${port} } }\n`;

function folderOf(files: Readonly<Record<string, string>>): { root: string } & Disposable {
  const root = mkdtempSync(path.join(tmpdir(), "sluice-resources-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

function namesIn(folder: ResourceFolder, typeUrl: string): string[] {
  const read = folder.read();
  assert(read.ok, read.ok ? "" : read.errors.join("\n"));
  return (read.value.get(typeUrl) ?? []).map(({ name }) => name);
}

test("resources come from folders and from one file of a type, single or in a list", () => {
  using files = folderOf({
    "listeners/b.yaml": listener("b", "1"),
    "listeners/a.json": JSON.stringify({ name: "a", address: { pipe: { path: "/a" } } }),
    "listeners/.swap.yaml": "{",
    "listeners/readme.txt": "not a resource",
    "endpoints.yaml": "- cluster_name: x\n- cluster_name: y\n",
  });
  const folder = new ResourceFolder(files.root);
  assert.deepEqual(namesIn(folder, lds), ["a", "b"]);
  assert.deepEqual(namesIn(folder, eds), ["x", "y"]);
});

test("a file may be one that Envoy reads by itself: a DiscoveryResponse", () => {
  const { name, ...address } = { name: "x", address: { pipe: { path: "/x" } } };
  using files = folderOf({
    "listeners.yaml": JSON.stringify({ resources: [{ "@type": lds, name, ...address }] }),
    "endpoints.yaml": JSON.stringify({ version_info: "1", resources: [] }),
  });
  const folder = new ResourceFolder(files.root);
  assert.deepEqual(namesIn(folder, lds), ["x"]);
  assert.deepEqual(namesIn(folder, eds), []);
});

test("an overlay replaces files of the same name, adds others, and empties", () => {
  using files = folderOf({
    "listeners/a.yaml": listener("a", "1"),
    "listeners/b.yaml": listener("b", "1"),
  });
  using first = folderOf({
    "listeners/a.yaml": listener("a2", "1"),
    "listeners/c.yaml": listener("c", "1"),
  });
  using second = folderOf({ "listeners/b.yaml": "[]" });
  const folder = new ResourceFolder(files.root);
  folder.overlays = [first.root, second.root];
  assert.deepEqual(namesIn(folder, lds), ["a2", "c"]);
  folder.overlays = [];
  assert.deepEqual(namesIn(folder, lds), ["a", "b"]);
});

test("placeholders are filled in, and an unknown one is an error", () => {
  using files = folderOf({ "listeners/a.yaml": listener("a", "${port}") });
  assert.deepEqual(namesIn(new ResourceFolder(files.root, { port: 80 }), lds), ["a"]);
  const read = new ResourceFolder(files.root).read();
  assert(!read.ok);
  assert.match(read.errors[0] ?? "", /a.yaml: nothing stands for \$\{port\}/);
});

test("every error of every file is told with the file", () => {
  using files = folderOf({
    "listeners/broken.yaml": "name: [",
    "listeners/unknown.yaml": `${listener("u", "1")}bogus: 1\n`,
    "listeners/invalid.yaml": "name: no-address\n",
    "listeners/nameless.yaml": "address: { pipe: { path: /a } }\n",
    "listeners/twice.yaml": `[{name: t, address: {pipe: {path: /t}}}, {name: t, address: {pipe: {path: /t}}}]`,
    "clusters/word.yaml": "just a word\n",
  });
  const read = new ResourceFolder(files.root).read();
  assert(!read.ok);
  const text = read.errors.join("\n");
  for (const part of [
    /broken.yaml: Unable to convert YAML/,
    /unknown.yaml: .*bogus/,
    /nameless.yaml: name is missing/,
    /duplicate t/,
    /word.yaml: .*must be a mapping/,
  ])
    assert.match(text, part);
});
