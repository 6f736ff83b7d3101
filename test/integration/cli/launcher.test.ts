/** `bin/sluice` finds what to run: dist/ while it is current, the sources otherwise. Node is a script that says what it was given. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

/** A checkout of two sources, built at `builtAt` (never, if it is undefined). */
function checkout(
  builtAt: number | undefined,
  sourceAt: number,
): Disposable & { run(...args: string[]): string } {
  const root = mkdtempSync(path.join(tmpdir(), "launcher-"));
  const file = (name: string, at: number, text = ""): void => {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
    utimesSync(path.join(root, name), at, at);
  };
  file("src/main.ts", sourceAt);
  file("src/cli/drains/main.ts", sourceAt);
  file("gen/.stamp", 1);
  if (builtAt !== undefined) file("dist/.stamp", builtAt);
  for (const folder of ["src", "src/cli", "src/cli/drains"])
    utimesSync(path.join(root, folder), 1, 1);
  file(
    "node",
    1,
    '#!/bin/sh\nfor last; do case $last in */dist/* | */src/*) echo "$last" ;; esac; done\n',
  );
  chmodSync(path.join(root, "node"), 0o755);
  mkdirSync(path.join(root, "bin"));
  cpSync("bin/sluice", path.join(root, "bin/sluice"));
  return {
    run: (...args) => {
      const env = { ...process.env, SLUICE_NODE: path.join(root, "node") };
      const said = execFileSync(path.join(root, "bin/sluice"), args, { env, encoding: "utf8" });
      return path.relative(root, said.trim());
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

test("what was built is run while no source is newer", () => {
  using built = checkout(20, 10);
  assert.equal(built.run("-c", "x.yaml"), "dist/main.js");
  assert.equal(built.run("drains", "--watch"), "dist/drains.js");
});

test("a source that is newer is run itself", () => {
  using changed = checkout(20, 30);
  assert.equal(changed.run("-c", "x.yaml"), "src/main.ts");
  assert.equal(changed.run("drains"), "src/cli/drains/main.ts");
});

test("so it is where nothing was built", () => {
  using fresh = checkout(undefined, 10);
  assert.equal(fresh.run(), "src/main.ts");
});
