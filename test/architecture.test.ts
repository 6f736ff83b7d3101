import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

/**
 * What each folder of `src` may import besides itself (docs/ARCHITECTURE.md). A folder may name only
 * folders above it, so a circle cannot be written down. `data` and `control` never name each other.
 */
const shared = ["common", "stats", "drain", "config", "http-filter", "io", "tls", "protocol"].map(
  (f) => `shared/${f}`,
);
const mayImport: Readonly<Record<string, readonly string[]>> = {
  // The ground: every thread.
  "shared/common": [],
  "shared/stats": ["shared/common"],
  "shared/drain": ["shared/common"],
  "shared/config": ["shared/common", "shared/drain"],
  // What filters of users are written against, on both sides of the process.
  "shared/http-filter": [],
  "shared/io": ["shared/common", "shared/drain", "shared/config"],
  // Of certificates: what both towers hold one against.
  "shared/tls": ["shared/common", "shared/config", "shared/io"],
  "shared/protocol": [
    "shared/common",
    "shared/stats",
    "shared/drain",
    "shared/config",
    "shared/io",
  ],
  // Worker threads: the way of a byte.
  "data/upstream": shared,
  "data/network": [...shared, "data/upstream"],
  "data/matching": [...shared, "data/upstream", "data/network"],
  "data/listener-filters": [...shared, "data/upstream", "data/network"],
  "data/tcp": [...shared, "data/upstream", "data/network"],
  "data/http": [...shared, "data/upstream", "data/network"],
  "data/connection-handler": [
    ...shared,
    "data/upstream",
    "data/network",
    "data/matching",
    "data/listener-filters",
    "data/tcp",
    "data/http",
  ],
  // The main thread: the way of a push.
  "control/proto": ["shared/common"],
  "control/config": [
    "shared/common",
    "shared/drain",
    "shared/config",
    "shared/http-filter",
    "control/proto",
  ],
  "control/init": ["shared/common"],
  "control/xds": ["shared/common", "shared/stats", "control/proto", "control/init"],
  "control/runtime": [
    "shared/common",
    "shared/stats",
    "shared/config",
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
  ],
  "control/workers": shared,
  "control/overload": [...shared, "control/proto", "control/config", "control/workers"],
  "control/secret": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/workers",
  ],
  // From main to its own servers, and what workers speak it with.
  "control/tls": [
    ...shared,
    "control/proto",
    "control/config",
    "control/xds",
    "control/workers",
    "control/secret",
  ],
  "control/cluster": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/workers",
    "control/secret",
    "control/tls",
  ],
  "control/listener": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/workers",
    "control/cluster",
  ],
  // Between generations of the process.
  "control/hot-restart": [
    "shared/common",
    "shared/stats",
    "shared/io",
    "shared/protocol",
    "control/proto",
  ],
  // What main sends out: access logs and load.
  "control/reports": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/workers",
    "control/cluster",
  ],
  "control/admin": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/runtime",
    "control/workers",
    "control/secret",
    "control/tls",
    "control/cluster",
    "control/listener",
  ],
  "control/server": [
    ...shared,
    "control/proto",
    "control/config",
    "control/init",
    "control/xds",
    "control/runtime",
    "control/workers",
    "control/overload",
    "control/secret",
    "control/tls",
    "control/cluster",
    "control/listener",
    "control/reports",
    "control/admin",
    "control/hot-restart",
  ],
  // Programs of their own: a management server, and clients of the admin.
  "xds-server": ["shared/common", "control/proto"],
  // `shared/io` for the restarter alone: what Node does not have of processes and of Unix sockets.
  cli: ["shared/common", "shared/io", "xds-server"],
  plan: [
    "shared/common",
    "shared/drain",
    "control/proto",
    "control/config",
    "control/listener",
    "xds-server",
    "cli",
  ],
  // Joins the towers: tells `control` where the worker's entry is.
  main: ["shared/common", "shared/protocol", "control/server", "data/connection-handler"],
};

/** What only one folder may touch, so that tests can replace it. */
const doors: readonly { readonly use: RegExp; readonly folders: readonly string[] }[] = [
  {
    use: /\b(setTimeout|setInterval|Date\.now|new Date\(\)|performance\.now)\b/,
    folders: ["shared/common", "shared/io", "cli"],
  },
  { use: /\bMath\.random\b|\brandomUUID\b|\brandomFillSync\b/, folders: ["shared/common"] },
  {
    use: /\bprocess\.(env|argv|exit|on|kill|cwd)\b/,
    // A thread's entry decides how its thread dies.
    folders: ["control/server", "cli", "main", "xds-server", "data/connection-handler"],
  },
  { use: /from "koffi"/, folders: ["shared/io"] },
];

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({
    path: file,
    folder: folderOf(file),
    code: withoutComments(readFileSync(path.join("src", file), "utf8")),
  }));

test("the import table names the folders of src", () => {
  for (const file of files)
    assert(mayImport[file.folder], `${file.path} is in no folder of the table`);
});

test("the import table has no circle", () => {
  const above = new Set<string>();
  for (const [folder, imports] of Object.entries(mayImport)) {
    for (const imported of imports)
      assert(above.has(imported), `${folder} names ${imported} too early`);
    above.add(folder);
  }
});

test("imports follow the import table", () => {
  const violations = files.flatMap((file) =>
    importedFolders(file)
      .filter((folder) => folder !== file.folder && !mayImport[file.folder]?.includes(folder))
      .map((folder) => `${file.path} imports ${folder}`),
  );
  assert.deepEqual(violations, []);
});

test("time, chance, the process and FFI are each reached through one door", () => {
  const violations = files.flatMap((file) =>
    doors
      .filter((door) => !door.folders.includes(file.folder))
      .flatMap((door) => door.use.exec(file.code)?.[0] ?? [])
      .map((use) => `${file.path} uses ${use}`),
  );
  assert.deepEqual(violations, []);
});

/** `shared/io`, `control/xds`; `xds-server` and `cli` are one folder each; `main.ts` is `main`. */
function folderOf(file: string): string {
  const [tower = "", folder = ""] = file.split(path.sep);
  if (["shared", "data", "control"].includes(tower)) return `${tower}/${folder}`;
  return tower.replace(/\.ts$/, "");
}

function importedFolders(file: { readonly path: string; readonly code: string }): string[] {
  const specifiers = file.code.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...specifiers]
    .map(([, specifier = ""]) => path.normalize(path.join(path.dirname(file.path), specifier)))
    .filter((imported) => !imported.startsWith(".."))
    .map(folderOf);
}

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}
